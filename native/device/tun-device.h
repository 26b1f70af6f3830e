#pragma once

#include <linux/if.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "device/descriptor.h"
#include "device/failure.h"
#include "device/frame-batch.h"

namespace weft {

// A TUN device, an interface whose packets are read and written here. A frame, both ways, with virtio header:
//
//   0      1         2           4           6            8            10
//   | flags| gso type| header len| gso size  | csum start | csum offset| IP packet …
//
// all little endian (TUNSETVNETLE); without the header a frame is just the IP packet.
class TunDevice {
 public:
  // A batch holds at most this many frames, and none is begun past this many bytes, so that a flood from the pods
  // leaves the event loop to the other sockets in between.
  static constexpr size_t kBatchFrames = 64;
  static constexpr size_t kBatchBytes = 512 * 1024;
  // The longest frame: a virtio header and the longest IP packet (an IPv6 jumbogram does not come out of a TUN).
  static constexpr size_t kMaxFrame = 10 + 65575;
  static constexpr size_t kBufferBytes = kBatchBytes + kMaxFrame;

  // Attaches to interface `name`, creating it where it does not exist. With `vnetHeader` it asks for the virtio header
  // and for offloads, and does without both where the kernel grants none. A persistent interface stays after close().
  static Failure open(const char* name, bool vnetHeader, bool persistent, TunDevice* out);

  // Takes part in the attachment of `fd`, of which another process keeps a descriptor too; `fd` stays open. Its settings
  // are made as open() makes them. EINVAL where it is no TUN device, or one whose frames have another form.
  static Failure adopt(int fd, TunDevice* out);

  // A second descriptor of the same attachment, which goes on when this one is closed.
  Failure duplicate(TunDevice* out) const;

  int fd() const { return descriptor_.get(); }
  bool valid() const { return descriptor_.valid(); }
  // As the kernel has it: `weft%d` becomes `weft0`.
  const char* name() const { return name_; }
  bool vnetHeader() const { return vnetHeader_; }
  // What the kernel granted, as TUN_F bits.
  unsigned offloads() const { return offloads_; }
  void close() { descriptor_.reset(); }

  // Reads what is there into a batch of kBufferBytes and kBatchFrames. 0, or the errno that ends the device; the batch
  // holds what was read before that.
  int read(FrameBatch* batch) const;
  // Writes one frame. Its length, or −errno.
  ssize_t write(const uint8_t* frame, size_t length) const;

 private:
  Failure attach(const char* name, bool vnetHeader);

  Descriptor descriptor_;
  char name_[IFNAMSIZ] = {};
  bool vnetHeader_ = false;
  unsigned offloads_ = 0;
};

}  // namespace weft

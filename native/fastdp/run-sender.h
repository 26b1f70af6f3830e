#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "fastdp/drops.h"
#include "fastdp/peer.h"
#include "fastdp/session.h"
#include "packet/data-packet.h"

namespace weft {

// Where sealed datagrams go: `length` bytes as datagrams of `segment` bytes, the last may be shorter, from source port
// number `port` (peer.h). Valid during the call only.
class DatagramSink {
 public:
  virtual void transmit(const SocketAddress& to, const uint8_t* bytes, size_t length, size_t segment, uint8_t tos,
                        size_t port) = 0;

 protected:
  ~DatagramSink() = default;
};

// The way out by one source port: plaintexts are written one behind the other and sealed there. Consecutive ones of one
// session, size (the last perhaps shorter) and TOS byte are a run, which takes its counters and leaves by one call. Whoever
// has an IP packet asks for room(), writes it there and calls sealIp(). Nothing leaves unsealed, and nothing before flush().
class RunSender {
 public:
  RunSender(DatagramSink* sink, Drops* drops, size_t port);

  // Where the next IP packet is to be written; there is room for the longest.
  uint8_t* room() { return buffer_.get() + next_ + kBodyOffset; }
  // Takes the IP packet of `length` bytes in the room() for `session`, whose peer has a direct path. False where it is
  // longer than any datagram. `checksumStart` 0: its transport checksum is complete.
  bool sealIp(Session* session, size_t length, size_t checksumStart, size_t checksumOffset, uint8_t tos);
  // Seals and transmits the run that is under way. To be called at the end of each batch. What the session has no more
  // counters for, for the sleeve took the last ones meanwhile, is dropped.
  void flush();

 private:
  // Packets in a run, which every kernel with UDP_SEGMENT takes, and their bytes, below an IPv4 packet's length.
  static constexpr size_t kMaxPackets = 64;
  static constexpr size_t kMaxBytes = 65'000;
  static constexpr size_t kMaxPacket = kDataOverhead + 65'535 + kPadTo;

  DatagramSink* sink_;
  Drops* drops_;
  size_t port_;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t next_ = 0;
  Session* session_ = nullptr;
  size_t count_ = 0;
  size_t segment_ = 0;  // bytes of each packet but the last
  uint8_t tos_ = 0;
};

}  // namespace weft

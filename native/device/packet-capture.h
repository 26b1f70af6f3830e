#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "device/descriptor.h"
#include "device/failure.h"

namespace weft {

// Looks at the packets that one interface sends (packet(7)), with their link-layer headers, as they are handed to it.
// Needs CAP_NET_RAW.
class PacketCapture {
 public:
  // Of the interface with that index, in the caller's network namespace; packets from before are not seen.
  static Failure open(int link, PacketCapture* out);

  struct Found {
    uint32_t packets = 0;  // sent by the interface, and looked at
    uint32_t matches = 0;  // of them, those that hold the bytes
  };

  // Searches what was sent since the last call for `bytes`, kMaxPackets packets at most. Without waiting.
  Failure search(const uint8_t* bytes, size_t length, Found* out);

  bool valid() const { return descriptor_.valid(); }
  void close() { descriptor_.reset(); }

  static constexpr int kMaxPackets = 65536;

 private:
  Descriptor descriptor_;
  std::unique_ptr<uint8_t[]> packet_;
};

}  // namespace weft

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "fastdp/run-sender.h"
#include "packet/coalescer.h"

namespace weft {

// Takes what comes out of lanes in place of devices, so that tests can compare it with what the sleeve does.
//
//   0      4        8         12             16
//   | kind | length | segment | port ‖ tos   | bytes …      kind: 0 datagrams, 1 a frame for the TUN
class Recorder final : public DatagramSink, public FrameSink {
 public:
  void transmit(const SocketAddress& to, const uint8_t* bytes, size_t length, size_t segment, uint8_t tos,
                size_t) override {
    head(0, length, segment, static_cast<uint32_t>(to.port()) << 8 | tos);
    taken_.insert(taken_.end(), bytes, bytes + length);
  }
  void deliver(const iovec* parts, size_t count) override {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) length += parts[i].iov_len;
    head(1, length, 0, 0);
    for (size_t i = 0; i < count; i++) {
      const auto* bytes = static_cast<const uint8_t*>(parts[i].iov_base);
      taken_.insert(taken_.end(), bytes, bytes + parts[i].iov_len);
    }
  }
  // What came since the last time.
  std::vector<uint8_t> take() { return std::exchange(taken_, {}); }

 private:
  void head(uint32_t kind, size_t length, size_t segment, uint32_t told) {
    const uint32_t words[4] = {kind, static_cast<uint32_t>(length), static_cast<uint32_t>(segment), told};
    const auto* bytes = reinterpret_cast<const uint8_t*>(words);
    taken_.insert(taken_.end(), bytes, bytes + sizeof words);
  }

  std::vector<uint8_t> taken_;
};

}  // namespace weft

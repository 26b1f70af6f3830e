#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft {

// What the lanes drop or meet themselves, in the order of FAST_COUNTERS of router/datapath/fast/fast-counters.ts.
enum class Drop : size_t {
  kInCounter,
  kInReplay,
  kInForged,
  kInDeadSession,
  kOutUnsent,
  kUpwardFull,
  kTunInvalid,
  kTunWriteFailed,
  kSendTooLarge,
  kSendNoBuffers,
  kSendRefused,
  kSendNetworkUnreachable,
  kSendHostUnreachable,
  kSendForbidden,
  kSendFailed,
  kSendQueueFull,
  kNoSocket,
  kSegmentsOff,
  kSocketError,
  kCount,
};

// Counts by both lanes, taken by the event loop.
class Drops {
 public:
  static constexpr size_t kKinds = static_cast<size_t>(Drop::kCount);

  void add(Drop drop, uint64_t count = 1) {
    counts_[static_cast<size_t>(drop)].fetch_add(count, std::memory_order_relaxed);
  }
  // What was counted since the last time.
  uint64_t take(size_t kind) { return counts_[kind].exchange(0, std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kKinds> counts_ = {};
};

}  // namespace weft

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fastdp/upward-queue.h"

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
  kTunTcpSegmentsOff,
  kTunUdpSegmentsOff,
  kSocketError,
  kInMalformed,
  kInUnknownIndex,
  kCount,
};

// Counts by both lanes, taken by the event loop, which is told where there are some: once, until it takes them. So an idle
// daemon need not look.
class Drops {
 public:
  static constexpr size_t kKinds = static_cast<size_t>(Drop::kCount);

  explicit Drops(UpwardQueue* upward) : upward_(upward) {}

  void add(Drop drop, uint64_t count = 1) {
    counts_[static_cast<size_t>(drop)].fetch_add(count);
    if (told_.load() || told_.exchange(true)) return;
    UpwardRecord record;
    record.kind = UpwardRecord::kDropped;
    if (!upward_->push(record, nullptr, 0)) told_.store(false);
  }
  // What was counted since the last time. What is counted from now on is told again.
  std::array<uint64_t, kKinds> take() {
    told_.store(false);
    std::array<uint64_t, kKinds> taken;
    for (size_t kind = 0; kind < kKinds; kind++) taken[kind] = counts_[kind].exchange(0);
    return taken;
  }

 private:
  UpwardQueue* upward_;
  std::atomic<bool> told_{false};
  std::array<std::atomic<uint64_t>, kKinds> counts_ = {};
};

}  // namespace weft

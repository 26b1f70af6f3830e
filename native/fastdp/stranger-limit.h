#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weft {

// How many datagrams of strangers go up to the event loop: some at once, and then so many a second. Whoever floods a node
// beyond that costs it what a lane takes to look at a datagram, and no more.
class StrangerLimit {
 public:
  // From now on there is a limit.
  void set(uint64_t atOnce, uint64_t perSecond) {
    most_ = left_ = atOnce * kShare;
    perSecond_ = perSecond;
  }

  // Takes one at `now` (ms); false where there is none left.
  bool take(uint64_t now) {
    if (most_ == 0) return true;
    if (now > at_) left_ = std::min(most_, left_ + std::min(now - at_, kFull) * perSecond_);
    at_ = std::max(at_, now);
    if (left_ < kShare) return false;
    left_ -= kShare;
    return true;
  }

 private:
  // One datagram; what a rate of one a second gives in a millisecond is one of them.
  static constexpr uint64_t kShare = 1000;
  // Any time beyond fills it (ms), so that the product stays small.
  static constexpr uint64_t kFull = 3'600'000;

  uint64_t most_ = 0;
  uint64_t perSecond_ = 0;
  uint64_t left_ = 0;
  uint64_t at_ = 0;
};

// The same, shared out by the host that a datagram says it is from: one that floods takes the share of few others.
class StrangerLimits {
 public:
  static constexpr size_t kHosts = 64;

  // For each share.
  void set(uint64_t atOnce, uint64_t perSecond) {
    for (StrangerLimit& share : shares_) share.set(atOnce, perSecond);
  }

  bool take(uint64_t hostHash, uint64_t now) { return shares_[hostHash % kHosts].take(now); }

 private:
  std::array<StrangerLimit, kHosts> shares_;
};

}  // namespace weft

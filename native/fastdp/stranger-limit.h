#pragma once

#include <algorithm>
#include <cstdint>

namespace weft {

// How many datagrams of strangers of one kind go up to the event loop: a second's worth at once, and then as many a
// millisecond. Whoever floods a node beyond that costs it what a lane takes to look at a datagram, and no more.
class StrangerLimit {
 public:
  // From now on there is a limit.
  void set(uint64_t perMs) {
    perMs_ = perMs;
    left_ = perMs * 1000;
  }

  // Takes one at `now` (ms); false where there is none left.
  bool take(uint64_t now) {
    if (perMs_ == 0) return true;
    if (now > at_) left_ = std::min(perMs_ * 1000, left_ + std::min<uint64_t>(now - at_, 1000) * perMs_);
    at_ = std::max(at_, now);
    if (left_ == 0) return false;
    left_--;
    return true;
  }

 private:
  uint64_t perMs_ = 0;
  uint64_t left_ = 0;
  uint64_t at_ = 0;
};

}  // namespace weft

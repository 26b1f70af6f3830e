#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace weft {

// Lets one side change what others read in batches: a lane enters for a batch and leaves; who wants a change waits until
// the lanes that it names are out, and keeps them out meanwhile. A change waits for one batch at most, however busy the
// lanes are, and a lane for one change.
class Gate {
 public:
  static constexpr size_t kLanes = 2;
  static constexpr size_t kOutbound = 0;
  static constexpr size_t kInbound = 1;

  // A lane is within while this lives.
  class Batch {
   public:
    Batch(Gate* gate, size_t lane) : lane_(&gate->lanes_[lane]) {
      // A mutex knows no order: without this the lane might come back again and again before the one that waits.
      if (gate->changing_.load(std::memory_order_acquire)) std::lock_guard<std::mutex> turn(gate->turn_);
      lane_->lock();
    }
    ~Batch() { lane_->unlock(); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    std::mutex* lane_;
  };

  // The lanes from `first` to `last` are out while this lives. For one thread.
  class Change {
   public:
    explicit Change(Gate* gate, size_t first = 0, size_t last = kLanes - 1) : gate_(gate), first_(first), last_(last) {
      gate_->turn_.lock();
      gate_->changing_.store(true, std::memory_order_release);
      for (size_t lane = first_; lane <= last_; lane++) gate_->lanes_[lane].lock();
    }
    ~Change() {
      for (size_t lane = first_; lane <= last_; lane++) gate_->lanes_[lane].unlock();
      gate_->changing_.store(false, std::memory_order_release);
      gate_->turn_.unlock();
    }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    Gate* gate_;
    size_t first_;
    size_t last_;
  };

 private:
  std::mutex turn_;
  std::atomic<bool> changing_{false};
  std::array<std::mutex, kLanes> lanes_;
};

}  // namespace weft

#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>

namespace weft {

// How eager a lane's thread is to run when a packet wakes it. A thread that wakes takes the processor from who sent the
// packet, where no other is idle: right for a packet that somebody waits for, and three quarters of all work for a stream
// of small ones, each of which then is a batch of its own. While packets come densely the thread therefore waits for its
// turn (SCHED_BATCH), and what has come by then is one batch. An idle processor takes it at once either way.
class WakePolicy {
 public:
  // To be told of each wake-up: when it was (ns), and how many reads it yielded.
  void woke(uint64_t now, size_t reads) {
    if (reads >= 2 || now - last_ < kDenseNs) dense_++;
    last_ = now;
    if (++seen_ < kWindow) return;
    const bool patient = dense_ >= kDenseShare;
    seen_ = dense_ = 0;
    if (patient == patient_) return;
    patient_ = patient;
    const sched_param none{};
    // Where it is refused the lane goes on as it was.
    ::sched_setscheduler(0, patient ? SCHED_BATCH : SCHED_OTHER, &none);
  }

 private:
  // Wake-ups that are judged together, and how many of them make a stream.
  static constexpr int kWindow = 64;
  static constexpr int kDenseShare = 48;
  // Below what a packet and its answer take, even between two pods that do nothing else.
  static constexpr uint64_t kDenseNs = 30'000;

  uint64_t last_ = 0;
  int seen_ = 0;
  int dense_ = 0;
  bool patient_ = false;
};

}  // namespace weft

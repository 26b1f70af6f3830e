#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>

namespace weft {

// How eager a lane's thread is to run when a packet wakes it. A thread that wakes takes the processor from who sent the
// packet, where no other is idle: right for a packet that somebody waits for, and three quarters of all work for a stream
// of small ones, each of which then is a batch of its own.
//  - Eager: as any thread.
//  - Patient: packets come densely. The thread waits for its turn (SCHED_BATCH); an idle processor takes it at once.
//  - Paced: no processor was idle, so that its turn came milliseconds later and brought hundreds of packets, more than the
//    socket they are for has room for. It comes by itself after each pause, for what fits into one run.
class WakePolicy {
 public:
  // To be told of each wake-up: when it was (ns), how many reads it yielded and of how many bytes. How long to pause
  // before the next (ns).
  uint64_t woke(uint64_t now, size_t reads, size_t bytes) {
    const bool small = bytes < reads * kSmallBytes;
    if (small && (reads >= 2 || now - last_ < kDenseNs)) dense_++;
    if (small && reads >= kBurst) bursts_++;
    last_ = now;
    if (mode_ == Mode::kPaced && (!small || reads < kTrickle)) become(Mode::kPatient);
    if (++seen_ == kWindow) judge();
    return mode_ == Mode::kPaced ? kPauseNs : 0;
  }

 private:
  enum class Mode { kEager, kPatient, kPaced };

  // Wake-ups that are judged together, how many of them make a stream, and how many one that comes in bursts.
  static constexpr int kWindow = 64;
  static constexpr int kDenseShare = 48;
  static constexpr int kBurstShare = 8;
  // Below what a packet and its answer take, even between two pods that do nothing else.
  static constexpr uint64_t kDenseNs = 30'000;
  // A super-packet needs no company.
  static constexpr size_t kSmallBytes = 4096;
  // Reads of one wake-up that came while the thread waited for its turn; and so few that a pause gathers nothing.
  static constexpr size_t kBurst = 32;
  static constexpr size_t kTrickle = 8;
  static constexpr uint64_t kPauseNs = 100'000;

  void judge() {
    const bool stream = dense_ >= kDenseShare;
    const bool bursts = bursts_ >= kBurstShare;
    seen_ = dense_ = bursts_ = 0;
    if (mode_ != Mode::kPaced || !stream) become(!stream ? Mode::kEager : bursts ? Mode::kPaced : Mode::kPatient);
  }
  void become(Mode mode) {
    const bool waits = mode == Mode::kPatient;
    const bool waited = mode_ == Mode::kPatient;
    mode_ = mode;
    if (waits == waited) return;
    const sched_param none{};
    // Where it is refused the lane goes on as it was.
    ::sched_setscheduler(0, waits ? SCHED_BATCH : SCHED_OTHER, &none);
  }

  Mode mode_ = Mode::kEager;
  uint64_t last_ = 0;
  int seen_ = 0;
  int dense_ = 0;
  int bursts_ = 0;
};

}  // namespace weft

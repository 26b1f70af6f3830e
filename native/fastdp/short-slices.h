#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace weft {

// Asks the scheduler to run this thread in short slices: it gets no more of a processor by that, but sooner, in front of
// threads that have run for longer (EEVDF: an earlier deadline). Without it a lane that has just moved a batch waits for
// milliseconds beside a busy pod, and with it all that came meanwhile. Kernels before 6.12 take it and do nothing.
inline void askForShortSlices() {
  // struct sched_attr of <linux/sched/types.h>, which some C libraries define as well.
  struct {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t sliceNs;
    uint64_t deadlineNs;
    uint64_t periodNs;
  } wanted = {};
  constexpr uint64_t kShortestNs = 100'000;   // the kernel grants none below
  wanted.size = sizeof wanted;
  wanted.nice = ::getpriority(PRIO_PROCESS, 0);  // of this thread; it stays
  wanted.sliceNs = kShortestNs;
  ::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

}  // namespace weft

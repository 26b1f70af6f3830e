#pragma once

#include "fastdp/drops.h"
#include "fastdp/forwarding.h"
#include "fastdp/gate.h"
#include "fastdp/inbound.h"
#include "fastdp/outbound.h"
#include "fastdp/upward-queue.h"

namespace weft {

// The two ways of a packet, what they look up, and what comes out of them, without any device or thread.
struct Lanes {
  Lanes(DatagramSink* datagrams, FrameSink* frames, UpwardQueue::Waker* waker, bool coalesceTcp, bool coalesceUdp)
      : upward(waker),
        drops(&upward),
        outbound(&forwarding, &upward, &drops, datagrams),
        inbound(&forwarding, &upward, &drops, frames, coalesceTcp, coalesceUdp) {}

  Gate gate;
  // To be read and changed within a Gate::Change only, but for what Session says of its counters.
  Forwarding forwarding;
  UpwardQueue upward;
  Drops drops;
  Outbound outbound;
  Inbound inbound;
};

}  // namespace weft

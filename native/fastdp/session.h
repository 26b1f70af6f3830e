#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "aead/aead-key.h"
#include "fastdp/replay-window.h"

namespace weft {

struct Peer;

// How long one key may serve, as crypto/aead.ts says.
struct SessionLimits {
  uint64_t rekeyAfter = 0;
  uint64_t stopAfter = 0;
  uint64_t maxFailedOpens = 0;
};

// The keys of one session at work. No counter seals twice, whichever thread takes it; the window moves only for packets
// whose tag verified. The outbound lane seals and the inbound lane opens; the control side takes counters for what the
// sleeve seals, and uses the window with the lanes held still (gate.h).
struct Session {
  // How far the keys are used up: a new session is wanted, or they may be used no more.
  enum Wear : uint32_t { kFresh, kRekey, kDead };

  static constexpr uint64_t kKeptForSleeve = 4096;

  uint32_t localIndex = 0;
  uint32_t remoteIndex = 0;
  Peer* peer = nullptr;
  // Whether the peer takes over congestion marks of outer headers.
  bool peerTakesMarks = false;
  // Whether the sleeve has seen a packet of it open, and told the control core.
  bool confirmed = false;
  SessionLimits limits;
  AeadKey sendKey;
  AeadKey receiveKey;
  ReplayWindow window;
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> failedOpens{0};
  // How worn the control core knows the keys to be.
  std::atomic<uint32_t> toldWear{kFresh};

  bool dead() const { return failedOpens.load(std::memory_order_relaxed) >= limits.maxFailedOpens; }
  // Whether a lane may seal that many more. The last counters are kept for what the sleeve has to say, and for the runs
  // that are under way, which take theirs when they leave.
  bool canSeal(size_t packets) const {
    return sent.load(std::memory_order_relaxed) + packets + kKeptForSleeve <= limits.stopAfter && !dead();
  }
  // Takes the counters of some more packets, which must be sealed under them or not at all: the first of them, the others
  // follow it. False where that would go past the limit.
  bool reserve(size_t packets, uint64_t* counter) {
    uint64_t next = sent.load(std::memory_order_relaxed);
    do {
      if (next + packets > limits.stopAfter || dead()) return false;
    } while (!sent.compare_exchange_weak(next, next + packets, std::memory_order_relaxed));
    *counter = next;
    return true;
  }
  Wear wear() const {
    if (!canSeal(1)) return kDead;
    const uint64_t messages = std::max(sent.load(std::memory_order_relaxed), window.next());
    return messages >= limits.rekeyAfter ? kRekey : kFresh;
  }
  // Whether the control core is to be told of the wear; true once for each step. For the lanes.
  bool tellWear() {
    const Wear now = wear();
    uint32_t told = toldWear.load(std::memory_order_relaxed);
    return now > told && toldWear.compare_exchange_strong(told, now, std::memory_order_relaxed);
  }
};

}  // namespace weft

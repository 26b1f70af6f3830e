#pragma once

#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>

#include "device/socket-address.h"

namespace weft {

struct Session;

// A number that one lane counts and anybody reads.
class Tally {
 public:
  void add(uint64_t more) { value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// What the fast datapath itself carried for a peer. Times are milliseconds of CLOCK_MONOTONIC, 0: never.
struct PeerTallies {
  Tally sentPackets;
  Tally sentBytes;
  Tally sentIpBytes;
  Tally lastSentAt;
  Tally receivedPackets;
  Tally receivedBytes;
  Tally receivedIpBytes;
  Tally lastReceivedAt;
  Tally droppedIn;
  Tally droppedOut;
};

// A sender as receiveUdp describes it: port, and the address as four numbers.
struct Origin {
  uint32_t words[5] = {};
  bool operator==(const Origin&) const = default;
  bool sameHost(const Origin& other) const { return std::equal(words + 1, words + 5, other.words + 1); }
  // Of the address without the port. Nobody outside can tell which addresses have the same.
  uint64_t hostHash() const {
    static const uint64_t seed = [] {
      uint64_t random = 0;
      // Where there is no randomness yet, an attacker may find out; it is no key.
      (void)!::getrandom(&random, sizeof random, GRND_NONBLOCK);
      return random;
    }();
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
    uint64_t hash = seed;
    for (size_t word = 1; word < std::size(words); word++) {
      hash = (hash ^ words[word]) * kOdd;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

// Source ports that packets to a peer leave from: number 0 is the port that the peer knows us by, the others are there so
// that the flows of a pair of nodes are several flows for the network, which holds each to a rate and to a queue.
constexpr size_t kPorts = 16;

// What the lanes need of a peer. Its owner is Forwarding; it changes only while the lanes stand still.
struct Peer {
  uint32_t number = 0;
  // The session that packets are sealed with.
  Session* current = nullptr;
  // Whether packets go straight to `to`, and come from `origin`; if not, the sleeve sends them.
  bool direct = false;
  SocketAddress to;
  Origin origin;
  // Bits: further ports that the peer is known to be reached from. And whether the control side knows that they pay.
  uint32_t ports = 0;
  bool toldBusy = false;
  // When something came from `origin` itself (ms); the inbound lane's.
  uint64_t heardAt = 0;
  // The largest IP packet that its path carries.
  size_t mtu = 0;
  PeerTallies tallies;
};

}  // namespace weft

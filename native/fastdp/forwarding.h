#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "fastdp/peer.h"
#include "fastdp/route-table.h"
#include "fastdp/session.h"

namespace weft {

// All that the lanes look up: routes, peers and sessions. Changed only while they stand still (gate.h).
class Forwarding {
 public:
  // The peer of a number, made where there is none.
  Peer* peer(uint32_t number);
  Peer* knownPeer(uint32_t number) const;
  // Requires that no session and no route refers to it.
  void forgetPeer(uint32_t number);
  // Says where packets of the peer come from; not `direct`: from nowhere by itself.
  void place(Peer* peer, bool direct, const Origin& origin);
  // Whether a peer is at the address of `from`, or, once in many billions, at another one with the same hash.
  bool mayBeAPeer(const Origin& from) const { return hosts_.contains(from.hostHash()); }

  Session* session(uint32_t localIndex) const {
    auto found = sessions_.find(localIndex);
    return found == sessions_.end() ? nullptr : found->second.get();
  }
  // Replaces one of the same index.
  void add(std::unique_ptr<Session> session);
  // Lets go of it; its keys are wiped.
  void remove(uint32_t localIndex);

  // `owners` are numbers of peers, `self` the index of ourselves among them, or −1 where we own nothing.
  void setRoutes(const uint32_t* words4, size_t count4, const uint32_t* words6, size_t count6, const uint32_t* owners,
                 size_t ownerCount, int64_t self);
  const RouteTable& routes() const { return routes_; }
  // Who we are among owners. It has no session.
  const Peer* self() const { return &self_; }

 private:
  Peer self_;
  RouteTable routes_;
  std::unordered_map<uint32_t, std::unique_ptr<Peer>> peers_;
  std::unordered_map<uint32_t, std::unique_ptr<Session>> sessions_;
  // How many peers are at an address, by its hash.
  std::unordered_map<uint64_t, size_t> hosts_;
};

}  // namespace weft

#include "fastdp/forwarding.h"

#include <iterator>
#include <utility>

namespace weft {

Peer* Forwarding::peer(uint32_t number) {
  std::unique_ptr<Peer>& peer = peers_[number];
  if (peer == nullptr) {
    peer = std::make_unique<Peer>();
    peer->number = number;
  }
  return peer.get();
}

Peer* Forwarding::knownPeer(uint32_t number) const {
  auto found = peers_.find(number);
  return found == peers_.end() ? nullptr : found->second.get();
}

void Forwarding::forgetPeer(uint32_t number) {
  Peer* gone = knownPeer(number);
  if (gone == nullptr) return;
  place(gone, false, Origin());
  peers_.erase(number);
}

void Forwarding::place(Peer* peer, bool direct, const Origin& origin) {
  const auto before = hosts_.find(peer->origin.hostHash());
  if (peer->direct && before != hosts_.end() && --before->second == 0) hosts_.erase(before);
  peer->direct = direct;
  peer->origin = origin;
  if (direct) hosts_[origin.hostHash()]++;
}

void Forwarding::add(std::unique_ptr<Session> session) {
  const uint32_t index = session->localIndex;
  remove(index);
  sessions_[index] = std::move(session);
}

void Forwarding::remove(uint32_t localIndex) {
  Session* gone = session(localIndex);
  if (gone == nullptr) return;
  if (gone->peer->current == gone) gone->peer->current = nullptr;
  sessions_.erase(localIndex);
}

void Forwarding::setRoutes(const uint32_t* words4, size_t count4, const uint32_t* words6, size_t count6,
                           const uint32_t* owners, size_t ownerCount, int64_t self) {
  std::vector<Peer*> peers;
  peers.reserve(ownerCount);
  for (size_t i = 0; i < ownerCount; i++) {
    peers.push_back(static_cast<int64_t>(i) == self ? &self_ : peer(owners[i]));
  }
  routes_ = RouteTable(words4, count4, words6, count6, peers);
}

}  // namespace weft

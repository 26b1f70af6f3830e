#include "fastdp/inbound.h"

#include <algorithm>

#include "packet/data-packet.h"
#include "packet/ecn.h"
#include "packet/ip-packet.h"

namespace weft {

void Inbound::handleDatagrams(uint32_t family, const Origin& from, uint8_t* bytes, size_t length, size_t segment,
                              uint8_t tos, uint64_t now) {
  Session* session = nullptr;
  size_t at = 0;
  do {
    const Datagram packet = {family, from, bytes + at, std::min(segment, length - at), tos, now};
    if (isDataPacket(packet.bytes, packet.length)) {
      const uint32_t index = receiverIndexOf(packet.bytes);
      if (session == nullptr || session->localIndex != index) session = forwarding_->session(index);
    } else {
      session = nullptr;
    }
    if (session == nullptr) handleStranger(packet);
    else handlePacket(session, packet);
    at += segment;
  } while (at < length);
}

void Inbound::handleStranger(const Datagram& packet) {
  const bool data = isDataPacket(packet.bytes, packet.length);
  if (!data && !isForeignPacket(packet.bytes, packet.length)) return drops_->add(Drop::kInMalformed);
  if (data && !unknown_.take(packet.now)) return drops_->add(Drop::kInUnknownIndex);
  if (!data && !forwarding_->mayBeAPeer(packet.from) && !handshakes_.take(packet.from.hostHash(), packet.now))
    return drops_->add(Drop::kUpwardFull);
  pushUp(UpwardRecord::kDatagram, packet, 0, 0);
}

void Inbound::handlePacket(Session* session, const Datagram& packet) {
  const uint64_t counter = counterOf(packet.bytes);
  if (session->dead()) return drop(*session, Drop::kInDeadSession);
  if (counter >= session->limits.stopAfter) return drop(*session, Drop::kInCounter);
  if (!session->window.check(counter)) return drop(*session, Drop::kInReplay);
  const Nonce nonce(counter);
  const size_t textLength = packet.length - kOuterHeader - kTag;
  if (!session->receiveKey.open(nonce.bytes, packet.bytes, kOuterHeader, packet.bytes + kOuterHeader, textLength)) {
    session->failedOpens.fetch_add(1, std::memory_order_relaxed);
    drop(*session, Drop::kInForged);
    if (session->tellWear()) up_->tellWear(session);
    return;
  }
  const bool newest = counter >= session->window.next();
  session->window.accept(counter);
  if (session->tellWear()) up_->tellWear(session);
  const bool away = newest && !isHome(session->peer, packet);
  if (session->confirmed && !away && deliverIp(*session, packet)) return;
  pushUp(UpwardRecord::kOpened, packet, session->localIndex, away ? 1 : 0);
}

bool Inbound::isHome(Peer* peer, const Datagram& packet) {
  const uint32_t family = peer->to.family() == AF_INET ? 4 : 6;
  if (!peer->direct || family != packet.family || !peer->origin.sameHost(packet.from)) return false;
  if (peer->origin == packet.from) peer->heardAt = packet.now;
  return packet.now - peer->heardAt <= kHeardForMs;
}

bool Inbound::deliverIp(const Session& session, const Datagram& packet) {
  const uint8_t* inner = packet.bytes + kOuterHeader;
  const size_t textLength = packet.length - kOuterHeader - kTag;
  const size_t padding = inner[1];
  const size_t checksumStart = inner[2];
  const size_t checksumOffset = inner[3];
  if (inner[0] != kKindIp || textLength < kInnerHeader + padding) return false;
  const size_t length = textLength - kInnerHeader - padding;
  IpPacket ip;
  if (!IpPacket::readPlain(packet.bytes + kBodyOffset, length, &ip)) return false;
  const RouteTable& routes = forwarding_->routes();
  if (routes.sourceOwner(ip) != session.peer || routes.destinationOwner(ip) != forwarding_->self()) return false;
  if (checksumStart != 0 || checksumOffset != 0) {
    if (!ip.isTcp() && !ip.isUdp()) return false;
    if (checksumStart != ip.transport || checksumOffset != ip.checksumOffset()) return false;
  }
  if (!takeMarks(ip, packet.tos)) return false;
  PeerTallies& tallies = session.peer->tallies;
  tallies.receivedPackets.add(1);
  tallies.receivedBytes.add(packet.length);
  tallies.receivedIpBytes.add(length);
  tallies.lastReceivedAt.set(packet.now);
  coalescer_.add(ip, checksumStart);
  return true;
}

void Inbound::drop(const Session& session, Drop reason) {
  drops_->add(reason);
  session.peer->tallies.droppedIn.add(1);
}

void Inbound::pushUp(UpwardRecord::Kind kind, const Datagram& packet, uint32_t index, uint32_t value) {
  UpwardRecord record;
  record.kind = kind;
  record.family = packet.family;
  record.from = packet.from;
  record.tos = packet.tos;
  record.index = index;
  record.value = value;
  if (!up_->push(record, packet.bytes, packet.length)) drops_->add(Drop::kUpwardFull);
}

}  // namespace weft

#include "fastdp/outbound.h"

#include <bit>
#include <cstring>

#include "packet/ecn.h"
#include "packet/ip-packet.h"

namespace weft {

namespace {

// Segments of a super-packet that is part of a stream worth more than one port.
constexpr size_t kBusySegments = 24;

// The same for all packets of a flow: addresses, protocol, and ports where there are any.
uint32_t flowHash(const IpPacket& ip) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  uint64_t hash = ip.protocol;
  const auto mix = [&](const uint8_t* at, size_t count) {
    for (size_t i = 0; i < count; i += 4) hash = (hash ^ readBig32(at + i)) * kOdd, hash ^= hash >> 32;
  };
  mix(ip.source(), ip.family == 4 ? 8 : 32);
  if (ip.isTcp() || ip.isUdp()) mix(ip.bytes + ip.transport, 4);
  return static_cast<uint32_t>(hash >> 16);
}

}  // namespace

void Outbound::handleFrame(uint8_t* frame, size_t length, uint64_t now) {
  if (route(frame, length, now)) return;
  UpwardRecord record;
  record.kind = UpwardRecord::kFrame;
  if (!up_->push(record, frame, length)) drops_->add(Drop::kUpwardFull);
}

// Sends the frame; false where it is not for us to send, and then nothing of it was.
bool Outbound::route(uint8_t* frame, size_t length, uint64_t now) {
  IpPacket ip;
  if (length <= kVnetHeader || !IpPacket::readPlain(frame + kVnetHeader, length - kVnetHeader, &ip)) return false;
  const RouteTable& routes = forwarding_->routes();
  if (routes.sourceOwner(ip) != forwarding_->self()) return false;
  Peer* peer = routes.destinationOwner(ip);
  if (peer == nullptr || !peer->direct || peer->current == nullptr) return false;
  Session* session = peer->current;
  const VnetHeader header = VnetHeader::read(frame);
  const bool sent = header.gsoType == kGsoNone ? sendPacket(session, ip, header) : sendSegments(session, ip, header);
  if (!sent) return false;
  peer->tallies.lastSentAt.set(now);
  if (session->tellWear()) up_->tellWear(session);
  return true;
}

bool Outbound::sendPacket(Session* session, const IpPacket& ip, const VnetHeader& header) {
  if (ip.length > session->peer->mtu || !session->canSeal(1)) return false;
  size_t checksumStart = 0;
  size_t checksumOffset = 0;
  if ((header.flags & kVnetNeedsChecksum) != 0) {
    if (!ip.isTcp() && !ip.isUdp()) return false;
    checksumStart = header.checksumStart;
    checksumOffset = header.checksumOffset;
    if (checksumStart != ip.transport || checksumOffset != ip.checksumOffset()) return false;
  }
  RunSender* sender = senderFor(*session->peer, ip);
  std::memcpy(sender->room(), ip.bytes, ip.length);
  const uint8_t tos = outerTos(tosOf(ip), session->peerTakesMarks);
  if (!sender->sealIp(session, ip.length, checksumStart, checksumOffset, tos)) return false;
  session->peer->tallies.sentIpBytes.add(ip.length);
  return true;
}

bool Outbound::sendSegments(Session* session, const IpPacket& ip, const VnetHeader& header) {
  if (!segmenter_.begin(ip, header)) return false;
  if (segmenter_.largest() > session->peer->mtu || !session->canSeal(segmenter_.count())) return false;
  const uint8_t tos = outerTos(tosOf(ip), session->peerTakesMarks);
  if (segmenter_.count() >= kBusySegments) tellBusy(session->peer);
  RunSender* sender = senderFor(*session->peer, ip);
  size_t bytes = 0;
  while (size_t length = segmenter_.nextLength()) {
    segmenter_.write(sender->room());
    if (!sender->sealIp(session, length, ip.transport, ip.checksumOffset(), tos)) {
      // None is longer than the first, so nothing of it was taken.
      return false;
    }
    bytes += length;
  }
  session->peer->tallies.sentIpBytes.add(bytes);
  return true;
}

void Outbound::flush() {
  for (; underWay_ != 0; underWay_ &= underWay_ - 1) senders_[static_cast<size_t>(std::countr_zero(underWay_))]->flush();
}

RunSender* Outbound::senderFor(const Peer& peer, const IpPacket& ip) {
  size_t port = 0;
  if (peer.ports != 0) {
    port = flowHash(ip) % kPorts;
    if ((peer.ports >> port & 1) == 0) port = 0;
  }
  std::unique_ptr<RunSender>& sender = senders_[port];
  if (sender == nullptr) sender = std::make_unique<RunSender>(sink_, drops_, port);
  underWay_ |= 1u << port;
  return sender.get();
}

void Outbound::tellBusy(Peer* peer) {
  if (peer->toldBusy) return;
  UpwardRecord record;
  record.kind = UpwardRecord::kBusy;
  record.index = peer->number;
  peer->toldBusy = up_->push(record, nullptr, 0);
}

}  // namespace weft

#include "fastdp/outbound.h"

#include <cstring>

#include "packet/ecn.h"
#include "packet/ip-packet.h"

namespace weft {

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
  std::memcpy(sender_.room(), ip.bytes, ip.length);
  const uint8_t tos = outerTos(tosOf(ip), session->peerTakesMarks);
  if (!sender_.sealIp(session, ip.length, checksumStart, checksumOffset, tos)) return false;
  session->peer->tallies.sentIpBytes.add(ip.length);
  return true;
}

bool Outbound::sendSegments(Session* session, const IpPacket& ip, const VnetHeader& header) {
  if (!segmenter_.begin(ip, header)) return false;
  if (segmenter_.largest() > session->peer->mtu || !session->canSeal(segmenter_.count())) return false;
  const uint8_t tos = outerTos(tosOf(ip), session->peerTakesMarks);
  size_t bytes = 0;
  while (size_t length = segmenter_.nextLength()) {
    segmenter_.write(sender_.room());
    if (!sender_.sealIp(session, length, ip.transport, ip.checksumOffset(), tos)) {
      // The sleeve took the last counters meanwhile. What was sealed is on its way, so the rest is lost.
      drops_->add(Drop::kOutUnsent);
      session->peer->tallies.droppedOut.add(1);
      break;
    }
    bytes += length;
  }
  session->peer->tallies.sentIpBytes.add(bytes);
  return true;
}

}  // namespace weft

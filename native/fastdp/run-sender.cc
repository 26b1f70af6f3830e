#include "fastdp/run-sender.h"

#include <cstring>

#include "aead/packet-run.h"

namespace weft {

RunSender::RunSender(DatagramSink* sink, Drops* drops, size_t port)
    : sink_(sink), drops_(drops), port_(port), buffer_(new uint8_t[kMaxBytes + kMaxPacket]()) {}

bool RunSender::sealIp(Session* session, size_t length, size_t checksumStart, size_t checksumOffset, uint8_t tos) {
  const Peer& peer = *session->peer;
  const size_t padding = paddingFor(length, peer.mtu);
  const size_t total = kDataOverhead + length + padding;
  if (total > kMaxOuterLength) return false;
  uint8_t* packet = buffer_.get() + next_;
  writeInnerHeader(packet + kOuterHeader, padding, checksumStart, checksumOffset);
  std::memset(packet + kBodyOffset + length, 0, padding);
  const bool joins = count_ > 0 && count_ < kMaxPackets && session == session_ && tos == tos_ && total <= segment_ &&
                     next_ == count_ * segment_ &&  // no shorter one closed it
                     next_ + total <= kMaxBytes;
  if (!joins) {
    if (count_ > 0) {
      flush();
      std::memmove(buffer_.get(), packet, total);
    }
    session_ = session;
    segment_ = total;
    tos_ = tos;
  }
  count_++;
  next_ += total;
  return true;
}

void RunSender::flush() {
  if (count_ == 0) return;
  const PacketRun run = {buffer_.get(), next_, segment_, kOuterHeader};
  const size_t packets = count_;
  count_ = 0;
  next_ = 0;
  PeerTallies& tallies = session_->peer->tallies;
  uint64_t counter = 0;
  if (!session_->reserve(packets, &counter)) {
    drops_->add(Drop::kOutUnsent, packets);
    tallies.droppedOut.add(packets);
    return;
  }
  for (size_t i = 0; i < packets; i++) writeOuterHeader(run.bytes + i * segment_, session_->remoteIndex, counter + i);
  const Nonce nonce(counter);
  // OpenSSL failing is not to be expected; then nothing leaves.
  if (!run.seal(&session_->sendKey, nonce.bytes)) return;
  tallies.sentPackets.add(packets);
  tallies.sentBytes.add(run.length);
  sink_->transmit(session_->peer->to, run.bytes, run.length, segment_, tos_, port_);
}

}  // namespace weft

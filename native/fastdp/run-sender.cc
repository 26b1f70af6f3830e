#include "fastdp/run-sender.h"

#include <cstring>

#include "aead/packet-run.h"

namespace weft {

RunSender::RunSender(DatagramSink* sink) : sink_(sink), buffer_(new uint8_t[kMaxBytes + kMaxPacket]()) {}

bool RunSender::sealIp(Session* session, size_t length, size_t checksumStart, size_t checksumOffset, uint8_t tos) {
  const Peer& peer = *session->peer;
  const size_t padding = paddingFor(length, peer.mtu);
  const size_t total = kDataOverhead + length + padding;
  uint64_t counter = 0;
  if (total > kMaxOuterLength || !session->reserve(&counter)) return false;
  uint8_t* packet = buffer_.get() + next_;
  writeOuterHeader(packet, session->remoteIndex, counter);
  writeInnerHeader(packet + kOuterHeader, padding, checksumStart, checksumOffset);
  std::memset(packet + kBodyOffset + length, 0, padding);
  const bool joins = count_ > 0 && count_ < kMaxPackets && session == session_ && tos == tos_ && total <= segment_ &&
                     counter == counter_ + count_ && next_ == count_ * segment_ &&  // no shorter one closed it
                     next_ + total <= kMaxBytes;
  if (!joins) {
    if (count_ > 0) {
      flush();
      std::memmove(buffer_.get(), packet, total);
    }
    session_ = session;
    counter_ = counter;
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
  const Nonce nonce(counter_);
  const size_t packets = count_;
  count_ = 0;
  next_ = 0;
  // OpenSSL failing is not to be expected; then nothing leaves.
  if (!run.seal(&session_->sendKey, nonce.bytes)) return;
  PeerTallies& tallies = session_->peer->tallies;
  tallies.sentPackets.add(packets);
  tallies.sentBytes.add(run.length);
  sink_->transmit(session_->peer->to, run.bytes, run.length, segment_, tos_);
}

}  // namespace weft

#include "packet/coalescer.h"

#include <algorithm>
#include <cstring>

#include "packet/bytes.h"
#include "packet/checksum.h"
#include "packet/vnet-header.h"

namespace weft {
namespace {

// An IPv4 total length, and an IPv6 payload length that leaves room for its header, end here.
constexpr size_t kMaxLength = 65'535;

constexpr int kPsh = 0x08;
constexpr int kAck = 0x10;
constexpr int kEce = 0x40;
constexpr int kCwr = 0x80;

bool hasPush(const IpPacket& ip) { return ip.isTcp() && (ip.bytes[ip.transport + 13] & kPsh) != 0; }

// Payload of a packet that may be part of a super-packet; 0 for one that may not.
size_t chainablePayload(const IpPacket& ip, size_t checksumStart) {
  const uint8_t* transport = ip.bytes + ip.transport;
  const size_t length = ip.length - ip.transport;
  if (ip.isTcp()) {
    const int flags = transport[13];
    if ((flags & kAck) == 0 || (flags & ~(kAck | kEce | kPsh | kCwr)) != 0) return 0;
  } else if (readBig16(transport + 4) != length) {
    return 0;
  }
  const size_t header = ip.transportHeaderLength();
  if (length <= header) return 0;
  // What is rebuilt would be right where the original was wrong, so the original is judged first.
  if (ip.family == 4 && sumWords(ip.bytes, ip.transport) != 0xffff) return 0;
  if (checksumStart != 0) return length - header;
  const bool none = ip.isUdp() && readBig16(transport + kUdpChecksum) == 0;
  return !none && transportChecksumHolds(ip) ? length - header : 0;
}

bool same(const uint8_t* one, const uint8_t* other, size_t from, size_t to) {
  return std::memcmp(one + from, other + from, to - from) == 0;
}

// The packet with a header before it, as one part.
iovec framed(const IpPacket& ip, const VnetHeader& header) {
  uint8_t* frame = ip.bytes - kVnetHeader;
  header.write(frame);
  return {frame, kVnetHeader + ip.length};
}

}  // namespace

void Chain::begin(const IpPacket& ip, size_t checksumStart, size_t payload) {
  first_ = ip;
  parts_[0] = {ip.bytes - kVnetHeader, kVnetHeader + ip.length};
  segments_ = 1;
  checksumStart_ = checksumStart;
  gsoSize_ = payload;
  nextSequence_ = readBig32(ip.bytes + ip.transport + 4) + static_cast<uint32_t>(payload);
  closed_ = false;
}

bool Chain::holdsFlowOf(const IpPacket& ip) const {
  if (first_.family != ip.family || first_.protocol != ip.protocol) return false;
  if (!same(first_.bytes + first_.transport, ip.bytes + ip.transport, 0, 4)) return false;
  return ip.family == 4 ? same(first_.bytes, ip.bytes, 12, 20) : same(first_.bytes, ip.bytes, 8, 40);
}

bool Chain::join(const IpPacket& ip, size_t payload) {
  if (payload > gsoSize_ || segments_ == kMaxSegments || first_.length + payload > kMaxLength) return false;
  if (!continuesIp(ip) || (ip.isTcp() && !continuesTcp(ip))) return false;
  parts_[segments_] = {ip.bytes + ip.length - payload, payload};
  first_.length += payload;
  segments_++;
  nextSequence_ += static_cast<uint32_t>(payload);
  const bool push = hasPush(ip);
  if (push) first_.bytes[first_.transport + 13] |= kPsh;
  closed_ = push || payload < gsoSize_ || segments_ == kMaxSegments;
  return true;
}

void Chain::finish(FrameSink* sink) {
  if (segments_ == 1) {
    parts_[0] = framed(first_, VnetHeader::plain(checksumStart_, first_.checksumOffset()));
    sink->deliver(parts_.data(), 1);
    return;
  }
  uint8_t* bytes = first_.bytes;
  uint8_t* transport = bytes + first_.transport;
  const size_t transportLength = first_.length - first_.transport;
  if (first_.family == 4) {
    writeBig16(bytes + 2, static_cast<uint32_t>(first_.length));
    writeIpv4Checksum(bytes, first_.transport);
  } else {
    writeBig16(bytes + 4, static_cast<uint32_t>(first_.length - 40));
  }
  if (first_.isUdp()) writeBig16(transport + 4, static_cast<uint32_t>(transportLength));
  writeBig16(transport + first_.checksumOffset(), sumWords(nullptr, 0, pseudoHeaderSum(first_, transportLength)));
  VnetHeader header = VnetHeader::plain(first_.transport, first_.checksumOffset());
  const bool ecn = first_.isTcp() && (transport[13] & kCwr) != 0;
  header.gsoType = first_.isUdp() ? kGsoUdp : first_.family == 4 ? kGsoTcp4 : kGsoTcp6;
  if (ecn) header.gsoType |= kGsoEcn;
  header.headerLength = static_cast<uint16_t>(first_.headersLength());
  header.gsoSize = static_cast<uint16_t>(gsoSize_);
  header.write(bytes - kVnetHeader);
  sink->deliver(parts_.data(), segments_);
}

bool Chain::continuesIp(const IpPacket& ip) const {
  const uint8_t* mine = first_.bytes;
  if (ip.family == 6) return same(mine, ip.bytes, 0, 4) && same(mine, ip.bytes, 7, 8);
  if (!same(mine, ip.bytes, 1, 2) || !same(mine, ip.bytes, 6, 9)) return false;  // ToS; flags, TTL
  return ip.dontFragment || readBig16(ip.bytes + 4) == static_cast<uint16_t>(readBig16(mine + 4) + segments_);
}

bool Chain::continuesTcp(const IpPacket& ip) const {
  const uint8_t* mine = first_.bytes + first_.transport;
  const uint8_t* theirs = ip.bytes + ip.transport;
  if (readBig32(theirs + 4) != nextSequence_) return false;
  const int flags = theirs[13] & ~kPsh;
  if ((flags & kCwr) != 0 || flags != (mine[13] & ~(kCwr | kPsh))) return false;
  // Acknowledgement and data offset; window; urgent pointer and options.
  return same(mine, theirs, 8, 13) && same(mine, theirs, 14, 16) && same(mine, theirs, 18, ip.transportHeaderLength());
}

void Coalescer::add(const IpPacket& ip, size_t checksumStart) {
  if (!(ip.isTcp() ? tcp_ : ip.isUdp() && udp_)) {
    deliverPlain(ip, checksumStart);
    return;
  }
  const size_t payload = chainablePayload(ip, checksumStart);
  for (size_t i = 0; i < open_; i++) {
    Chain& chain = chains_[order_[i]];
    if (!chain.holdsFlowOf(ip)) continue;
    const bool joined = payload > 0 && chain.join(ip, payload);
    if (!joined || chain.closed()) close(i);
    if (joined) return;
    break;
  }
  if (payload == 0 || hasPush(ip)) {
    deliverPlain(ip, checksumStart);
    return;
  }
  if (open_ == kMaxChains) close(0);
  chains_[order_[open_]].begin(ip, checksumStart, payload);
  open_++;
}

void Coalescer::flush() {
  while (open_ > 0) close(0);
}

void Coalescer::close(size_t index) {
  chains_[order_[index]].finish(sink_);
  std::rotate(order_.begin() + static_cast<std::ptrdiff_t>(index), order_.begin() + static_cast<std::ptrdiff_t>(index) + 1,
              order_.begin() + static_cast<std::ptrdiff_t>(open_));
  open_--;
}

void Coalescer::deliverPlain(const IpPacket& ip, size_t checksumStart) {
  const size_t offset = ip.isTcp() || ip.isUdp() ? ip.checksumOffset() : 0;
  const iovec part = framed(ip, VnetHeader::plain(checksumStart, offset));
  sink_->deliver(&part, 1);
}

}  // namespace weft

#include "packet/segmenter.h"

#include <algorithm>
#include <cstring>

#include "packet/bytes.h"
#include "packet/checksum.h"

namespace weft {
namespace {

constexpr uint8_t kFin = 0x01;
constexpr uint8_t kPsh = 0x08;
constexpr uint8_t kCwr = 0x80;
// One super-packet becomes at most this many: 65,535 bytes at TCP's smallest segment of 48 bytes.
constexpr size_t kMaxSegments = 1366;

}  // namespace

bool Segmenter::begin(const IpPacket& ip, const VnetHeader& header) {
  const int type = header.gsoType & ~kGsoEcn;
  const bool known = (type == kGsoUdp && ip.isUdp()) || (type == (ip.family == 4 ? kGsoTcp4 : kGsoTcp6) && ip.isTcp());
  if (!known || (header.flags & kVnetNeedsChecksum) == 0) return false;
  if (header.checksumStart != ip.transport || header.checksumOffset != ip.checksumOffset()) return false;
  payload_ = ip.headersLength();
  if (header.gsoSize == 0 || ip.length - payload_ > kMaxSegments * header.gsoSize) return false;
  ip_ = ip;
  at_ = payload_;
  gsoSize_ = header.gsoSize;
  pseudo_ = pseudoHeaderSum(ip, 0);
  done_ = false;
  return true;
}

size_t Segmenter::largest() const { return payload_ + std::min(gsoSize_, ip_.length - payload_); }

size_t Segmenter::count() const {
  return std::max<size_t>(1, (ip_.length - payload_ + gsoSize_ - 1) / gsoSize_);  // without payload it is one segment
}

size_t Segmenter::nextLength() const { return done_ ? 0 : payload_ + std::min(gsoSize_, ip_.length - at_); }

void Segmenter::write(uint8_t* out) {
  const size_t length = nextLength();
  const size_t offset = at_ - payload_;
  std::memcpy(out, ip_.bytes, payload_);
  std::memcpy(out + payload_, ip_.bytes + at_, length - payload_);
  at_ += length - payload_;
  done_ = at_ == ip_.length;
  if (ip_.family == 4) {
    writeBig16(out + 2, static_cast<uint32_t>(length));
    writeBig16(out + 4, readBig16(out + 4) + static_cast<uint32_t>(offset / gsoSize_));
    writeIpv4Checksum(out, ip_.transport);
  } else {
    writeBig16(out + 4, static_cast<uint32_t>(length - 40));
  }
  uint8_t* transport = out + ip_.transport;
  const size_t transportLength = length - ip_.transport;
  if (ip_.isUdp()) {
    writeBig16(transport + 4, static_cast<uint32_t>(transportLength));
  } else {
    writeBig32(transport + 4, readBig32(transport + 4) + static_cast<uint32_t>(offset));
    if (!done_) transport[13] &= static_cast<uint8_t>(~(kFin | kPsh));
    if (offset != 0) transport[13] &= static_cast<uint8_t>(~kCwr);
  }
  writeBig16(transport + ip_.checksumOffset(), sumWords(nullptr, 0, pseudo_ + transportLength));
}

}  // namespace weft

// libFuzzer: reading of a packet, its marks and its checksums, and cutting of super-packets. Input: a frame of the TUN.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "packet/checksum.h"
#include "packet/ecn.h"
#include "packet/ip-packet.h"
#include "packet/segmenter.h"

namespace {

using namespace weft;

void require(bool holds) {
  if (!holds) std::abort();
}

// Memory that ends where the packet does, so that a byte read behind it is seen.
std::unique_ptr<uint8_t[]> copyOf(const uint8_t* bytes, size_t length) {
  auto copy = std::make_unique<uint8_t[]>(length);
  std::copy_n(bytes, length, copy.get());
  return copy;
}

void cut(const IpPacket& ip, const VnetHeader& header) {
  Segmenter segmenter;
  if (!segmenter.begin(ip, header)) return;
  const size_t largest = segmenter.largest();
  const size_t count = segmenter.count();
  size_t made = 0;
  size_t payload = 0;
  while (const size_t length = segmenter.nextLength()) {
    require(length <= largest && made < count);
    auto segment = std::make_unique<uint8_t[]>(length);
    segmenter.write(segment.get());
    IpPacket read;
    require(IpPacket::readPlain(segment.get(), length, &read));
    require(read.headersLength() == ip.headersLength() && tosOf(read) == tosOf(ip));
    payload += length - read.headersLength();
    made++;
  }
  require(made == count && payload == ip.length - ip.headersLength());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length) {
  if (length <= kVnetHeader || length > 65'545) return 0;
  const VnetHeader header = VnetHeader::read(bytes);
  const size_t count = length - kVnetHeader;
  auto packet = copyOf(bytes + kVnetHeader, count);
  IpPacket ip;
  if (!IpPacket::readPlain(packet.get(), count, &ip)) return 0;
  require(ip.length == count && ip.transport < count);
  if (ip.isTcp() || ip.isUdp()) {
    require(ip.headersLength() <= count);
    cut(ip, header);
    VnetHeader own = header;
    own.flags |= kVnetNeedsChecksum;
    own.gsoType = ip.isUdp() ? kGsoUdp : ip.family == 4 ? kGsoTcp4 : kGsoTcp6;
    own.checksumStart = static_cast<uint16_t>(ip.transport);
    own.checksumOffset = static_cast<uint16_t>(ip.checksumOffset());
    cut(ip, own);
    transportChecksumHolds(ip);
    const size_t transport = ip.length - ip.transport;
    writeBig16(ip.bytes + ip.transport + ip.checksumOffset(), sumWords(nullptr, 0, pseudoHeaderSum(ip, transport)));
    completeChecksum(ip.bytes + ip.transport, transport, ip.checksumOffset(), ip.protocol);
    require(transportChecksumHolds(ip));
  }
  const bool sound = ip.family == 6 || sumWords(ip.bytes, ip.transport) == 0xffff;
  if (takeMarks(ip, header.flags) && sound && ip.family == 4) require(sumWords(ip.bytes, ip.transport) == 0xffff);
  return 0;
}

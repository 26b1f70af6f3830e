// libFuzzer: joining of packets into super-packets. Input: packets, each behind its length (2 bytes) and a byte whose first
// bit says that its checksum is partial; a length of 0 ends a batch. All that went in must come out, and nothing else.
#include "packet/coalescer.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "packet/bytes.h"
#include "packet/vnet-header.h"

namespace {

using namespace weft;

void require(bool holds) {
  if (!holds) std::abort();
}

size_t payloadOf(const IpPacket& ip) {
  return ip.isTcp() || ip.isUdp() ? ip.length - ip.headersLength() : ip.length - ip.transport;
}

struct Sink final : FrameSink {
  size_t payload = 0;
  void deliver(const iovec* parts, size_t count) override {
    std::vector<uint8_t> frame;
    for (size_t i = 0; i < count; i++) {
      const auto* bytes = static_cast<const uint8_t*>(parts[i].iov_base);
      frame.insert(frame.end(), bytes, bytes + parts[i].iov_len);
    }
    require(frame.size() > kVnetHeader && frame.size() <= kVnetHeader + 65'535 + 40);
    const VnetHeader header = VnetHeader::read(frame.data());
    require((header.gsoType == kGsoNone) == (count == 1));
    IpPacket ip;
    require(IpPacket::readPlain(frame.data() + kVnetHeader, frame.size() - kVnetHeader, &ip));
    if (count > 1) require(header.gsoSize > 0 && (payloadOf(ip) + header.gsoSize - 1) / header.gsoSize == count);
    payload += payloadOf(ip);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length) {
  Sink sink;
  auto coalescer = std::make_unique<Coalescer>(&sink, true, true);
  std::vector<std::unique_ptr<uint8_t[]>> held;
  size_t expected = 0;
  for (size_t at = 0; at + 3 <= length;) {
    const size_t count = std::min<size_t>(readLittle<uint16_t>(bytes + at), length - at - 3);
    const bool partial = (bytes[at + 2] & 1) != 0;
    at += 3;
    if (count == 0) {
      coalescer->flush();
      held.clear();
      continue;
    }
    held.push_back(std::make_unique<uint8_t[]>(kVnetHeader + count));
    uint8_t* packet = held.back().get() + kVnetHeader;
    std::copy_n(bytes + at, count, packet);
    at += count;
    IpPacket ip;
    if (!IpPacket::readPlain(packet, count, &ip)) continue;
    expected += payloadOf(ip);
    coalescer->add(ip, partial && (ip.isTcp() || ip.isUdp()) ? ip.transport : 0);
  }
  coalescer->flush();
  require(sink.payload == expected);
  return 0;
}

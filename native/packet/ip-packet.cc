#include "packet/ip-packet.h"

#include "packet/bytes.h"

namespace weft {
namespace {

bool read4(IpPacket* ip) {
  const uint8_t* bytes = ip->bytes;
  if (ip->length < 20 || bytes[0] != 0x45 || readBig16(bytes + 2) != ip->length) return false;
  const uint16_t flagsAndOffset = readBig16(bytes + 6);
  if ((flagsAndOffset & ~0x4000) != 0) return false;  // a fragment, or the reserved flag
  const bool multicast = (bytes[16] & 0xf0) == 0xe0 || readBig32(bytes + 16) == 0xffffffff;
  ip->family = 4;
  ip->transport = 20;
  ip->protocol = bytes[9];
  ip->dontFragment = flagsAndOffset != 0;
  return !multicast;
}

bool read6(IpPacket* ip) {
  const uint8_t* bytes = ip->bytes;
  if (ip->length < 40 || readBig16(bytes + 4) != ip->length - 40 || bytes[24] == 0xff) return false;
  ip->family = 6;
  ip->transport = 40;
  ip->protocol = bytes[6];
  ip->dontFragment = true;
  return true;
}

bool hasPlainTransport(const IpPacket& ip) {
  const uint8_t* transport = ip.bytes + ip.transport;
  const size_t room = ip.length - ip.transport;
  switch (ip.protocol) {
    case kProtocolTcp: {
      if (room < 20) return false;
      const size_t header = static_cast<size_t>(transport[12] >> 4) * 4;
      return header >= 20 && header <= room;
    }
    case kProtocolUdp:
      return room >= 8;
    case kProtocolIcmp4:
      return ip.family == 4 && room >= 8 && (transport[0] == 8 || transport[0] == 0);
    case kProtocolIcmp6:
      return ip.family == 6 && room >= 8 && (transport[0] == 128 || transport[0] == 129);
    default:
      return false;
  }
}

}  // namespace

bool IpPacket::readPlain(uint8_t* at, size_t count, IpPacket* out) {
  if (count == 0) return false;
  out->bytes = at;
  out->length = count;
  const int version = at[0] >> 4;
  const bool read = version == 4 ? read4(out) : version == 6 && read6(out);
  return read && hasPlainTransport(*out);
}

}  // namespace weft

#pragma once

#include <cstdint>

#include "packet/bytes.h"
#include "packet/ip-packet.h"

namespace weft {

// DSCP and ECN across a tunnel, as router/packet/ecn.ts says it (RFC 6040, RFC 2983).

inline uint8_t tosOf(const IpPacket& ip) {
  if (ip.family == 4) return ip.bytes[1];
  return static_cast<uint8_t>((ip.bytes[0] & 15) << 4 | ip.bytes[1] >> 4);
}

// The byte for the outer header: with the mark where the far end takes marks over.
inline uint8_t outerTos(uint8_t inner, bool marksTaken) {
  return marksTaken ? inner : static_cast<uint8_t>(inner & ~3);
}

// Replaces the byte, in IPv4 with the header's checksum counted on (RFC 1624): one that was wrong stays so.
inline void writeTos(const IpPacket& ip, uint8_t tos) {
  uint8_t* bytes = ip.bytes;
  if (ip.family == 6) {
    bytes[0] = static_cast<uint8_t>((bytes[0] & 0xf0) | tos >> 4);
    bytes[1] = static_cast<uint8_t>((tos & 15) << 4 | (bytes[1] & 15));
    return;
  }
  const uint32_t before = readBig16(bytes);
  bytes[1] = tos;
  uint32_t sum = (~readBig16(bytes + 10) & 0xffffu) + (~before & 0xffffu) + readBig16(bytes);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  writeBig16(bytes + 10, ~sum & 0xffff);
}

// Takes over the mark of an outer header. False: the network says "congestion" and the inner sender knows no marks.
inline bool takeMarks(const IpPacket& ip, uint8_t outer) {
  const uint8_t inner = tosOf(ip);
  const int innerMark = inner & 3;
  const int outerMark = outer & 3;
  if (innerMark == 0) return outerMark != 3;
  if (innerMark == 3 || (outerMark != 3 && outerMark != 1) || outerMark == innerMark) return true;
  writeTos(ip, static_cast<uint8_t>((inner & ~3) | outerMark));
  return true;
}

}  // namespace weft

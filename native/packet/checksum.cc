#include "packet/checksum.h"

#include <cstring>

#include "packet/bytes.h"

namespace weft {
namespace {

uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // namespace

uint16_t sumWords(const uint8_t* bytes, size_t length, uint64_t initial) {
  // Words are added in the machine's order, four bytes at once into eight, and the result is swapped at the end: the sum
  // is the same in either order (RFC 1071 §2(B)). 65,535 bytes stay far below what eight bytes hold.
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + 4 <= length; at += 4) sum += readLittle<uint32_t>(bytes + at);
  if (at + 2 <= length) {
    sum += readLittle<uint16_t>(bytes + at);
    at += 2;
  }
  if (at < length) sum += bytes[at];
  return fold(__builtin_bswap16(fold(sum)) + initial);
}

uint64_t pseudoHeaderSum(const IpPacket& ip, size_t transportLength) {
  const uint8_t* addresses = ip.bytes + (ip.family == 4 ? 12 : 8);
  return sumWords(addresses, ip.family == 4 ? 8 : 32) + static_cast<uint64_t>(ip.protocol) + transportLength;
}

void writeIpv4Checksum(uint8_t* header, size_t length) {
  writeBig16(header + 10, 0);
  writeBig16(header + 10, static_cast<uint16_t>(~sumWords(header, length)));
}

bool transportChecksumHolds(const IpPacket& ip) {
  const size_t length = ip.length - ip.transport;
  return sumWords(ip.bytes + ip.transport, length, pseudoHeaderSum(ip, length)) == 0xffff;
}

void completeChecksum(uint8_t* start, size_t length, size_t offset, uint8_t protocol) {
  const auto sum = static_cast<uint16_t>(~sumWords(start, length));
  writeBig16(start + offset, sum == 0 && protocol == kProtocolUdp ? 0xffff : sum);
}

}  // namespace weft

#pragma once

#include <cstddef>
#include <cstdint>

#include "packet/ip-packet.h"

namespace weft {

// The Internet checksum (RFC 1071). Sums of words in network order, folded to 16 bits and not yet complemented.

// The folded sum of `length` bytes and of `initial`, an earlier sum; a last odd byte is padded with zero.
uint16_t sumWords(const uint8_t* bytes, size_t length, uint64_t initial = 0);
// The sum of the pseudo header of `ip`: both addresses, the protocol, and `transportLength` bytes of transport (RFC 9293
// §3.1, RFC 8200 §8.1). Not folded.
uint64_t pseudoHeaderSum(const IpPacket& ip, size_t transportLength);
// Computes the checksum of the IPv4 header at `header` anew.
void writeIpv4Checksum(uint8_t* header, size_t length);
// Whether the complete transport checksum of `ip` is right. The caller rules out "none" (UDP over IPv4, zero).
bool transportChecksumHolds(const IpPacket& ip);
// Completes a partial checksum: the field at `offset` of the `length` bytes from `start` holds the pseudo header's sum.
void completeChecksum(uint8_t* start, size_t length, size_t offset, uint8_t protocol);

}  // namespace weft

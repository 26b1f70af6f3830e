#pragma once

#include <cstddef>
#include <cstdint>

#include "aead/aead-key.h"

namespace weft {

// A run of packets, one behind the other, of `segment` bytes each; the last may be shorter. Each packet:
//
//   0            aadLength
//   | clear       | text …           | tag (16) |
//    ╰ associated ╯
//
// The nonce of the first is given; the last 8 bytes of it, a number in little endian, count up from packet to packet.
struct PacketRun {
  uint8_t* bytes = nullptr;
  size_t length = 0;  // of all packets together
  size_t segment = 0;
  size_t aadLength = 0;

  // Whether there is at least one packet, and each has room for what it must hold.
  bool wellFormed() const;
  size_t count() const { return (length + segment - 1) / segment; }

  // Seals all packets where they lie. False where OpenSSL fails, which is not to be expected. Requires wellFormed().
  bool seal(AeadKey* key, const uint8_t* nonce) const;
  // Opens packets where they lie, from the first up to the first that does not open, which is left wiped. How many
  // opened. Requires wellFormed().
  size_t open(AeadKey* key, const uint8_t* nonce) const;
};

}  // namespace weft

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "packet/bytes.h"

namespace weft {

// The outer packet and what is sealed in it, as router/packet/data-packet.ts draws it; docs/wire.md has the last word.

constexpr size_t kOuterHeader = 16;
constexpr size_t kInnerHeader = 4;
constexpr size_t kTag = 16;
constexpr size_t kBodyOffset = kOuterHeader + kInnerHeader;
constexpr size_t kDataOverhead = kBodyOffset + kTag;
constexpr size_t kMaxOuterLength = 65'507;
constexpr size_t kPadTo = 16;

constexpr uint8_t kPacketInitiation = 1;
constexpr uint8_t kPacketCookie = 3;
constexpr uint32_t kPacketData = 4;
constexpr uint8_t kKindIp = 1;
constexpr uint8_t kKindControl = 2;

inline void writeOuterHeader(uint8_t* at, uint32_t receiverIndex, uint64_t counter) {
  writeLittle(at, kPacketData);
  writeLittle(at + 4, receiverIndex);
  writeLittle(at + 8, counter);
}
inline bool isDataPacket(const uint8_t* at, size_t length) {
  return length >= kDataOverhead && readLittle<uint32_t>(at) == kPacketData;
}
// A handshake, or what answers one: for the control core.
inline bool isForeignPacket(const uint8_t* at, size_t length) {
  return length > 0 && at[0] >= kPacketInitiation && at[0] <= kPacketCookie;
}
inline uint32_t receiverIndexOf(const uint8_t* at) { return readLittle<uint32_t>(at + 4); }
inline uint64_t counterOf(const uint8_t* at) { return readLittle<uint64_t>(at + 8); }

// Of an IP packet.
inline void writeInnerHeader(uint8_t* at, size_t padding, size_t checksumStart, size_t checksumOffset) {
  at[0] = kKindIp;
  at[1] = static_cast<uint8_t>(padding);
  at[2] = static_cast<uint8_t>(checksumStart);
  at[3] = static_cast<uint8_t>(checksumOffset);
}

// Padding that fills a plaintext with `length` bytes of body up to kPadTo, within `limit` bytes of body.
inline size_t paddingFor(size_t length, size_t limit) {
  const size_t wanted = (0 - (kInnerHeader + length)) & (kPadTo - 1);
  return length >= limit ? 0 : std::min(wanted, limit - length);
}

// The nonce of a counter: 4 zero bytes, then the counter.
struct Nonce {
  uint8_t bytes[12] = {};
  explicit Nonce(uint64_t counter) { writeLittle(bytes + 4, counter); }
};

}  // namespace weft

#pragma once

#include <cstdint>
#include <cstring>

namespace weft {

// Numbers as packets hold them: big endian in IP, little endian in what is ours (docs/wire.md). `at` need not be aligned.

inline uint16_t readBig16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
inline uint32_t readBig32(const uint8_t* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
inline void writeBig16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
inline void writeBig32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}

// Every machine that Weft is built for is little endian.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

template <class T>
T readLittle(const uint8_t* at) {
  T value{};
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void writeLittle(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace weft

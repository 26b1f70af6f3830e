#pragma once

#include <cstddef>
#include <cstdint>

namespace weft {

// Frames of any length, one behind the other in one buffer: frame `i` lies at `buffer + offsets[i]` and has
// `lengths[i]` bytes. The memory is the caller's.
struct FrameBatch {
  uint8_t* buffer = nullptr;
  int32_t* offsets = nullptr;
  int32_t* lengths = nullptr;
  size_t count = 0;
  size_t used = 0;  // bytes of the buffer

  uint8_t* end() const { return buffer + used; }
  // Counts the frame of `length` bytes that was put at end(). The next one begins at a multiple of `alignment`.
  void add(size_t length, size_t alignment = 1) {
    offsets[count] = static_cast<int32_t>(used);
    lengths[count] = static_cast<int32_t>(length);
    count++;
    used = (used + length + alignment - 1) / alignment * alignment;
  }
};

}  // namespace weft

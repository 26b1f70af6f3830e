#pragma once

namespace weft {

// What the kernel refused: the errno, and the call that it answered. False, as a condition, where nothing failed.
struct [[nodiscard]] Failure {
  int error = 0;
  const char* call = "";

  explicit operator bool() const { return error != 0; }
};

}  // namespace weft

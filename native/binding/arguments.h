#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

#include "binding/reference.h"

namespace weft {

// The arguments of a call. A reader that finds the wrong type leaves a TypeError pending and returns false.
class Arguments {
 public:
  static constexpr size_t kMost = 8;
  Arguments(napi_env env, napi_callback_info info);

  bool integer(size_t index, int64_t least, int64_t most, int64_t* out) const;
  // Copies a string of at most `size - 1` UTF-8 bytes without NUL in it.
  bool text(size_t index, char* out, size_t size) const;
  // The bytes of a Uint8Array; valid until control returns to JavaScript.
  bool bytes(size_t index, const uint8_t** data, size_t* length) const;
  bool function(size_t index, Reference* out) const;
  napi_value raw(size_t index) const { return index < count_ ? values_[index] : nullptr; }

 private:
  bool wrong(size_t index, const char* expected) const;

  napi_env env_;
  size_t count_ = kMost;
  napi_value values_[kMost] = {};
};

}  // namespace weft

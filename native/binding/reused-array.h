#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

#include "binding/reference.h"

namespace weft {

template <class T>
inline constexpr napi_typedarray_type kArrayType = napi_uint8_array;
template <>
inline constexpr napi_typedarray_type kArrayType<int32_t> = napi_int32_array;
template <>
inline constexpr napi_typedarray_type kArrayType<uint32_t> = napi_uint32_array;

// A typed array that is filled anew for each batch. Its memory belongs to JavaScript, so what a callback still holds
// when we are closed stays valid memory.
template <class T>
class ReusedArray {
 public:
  // Makes an array of `count` elements. False where memory is short.
  bool create(napi_env env, size_t count) {
    void* at = nullptr;
    napi_value memory = nullptr;
    napi_value array = nullptr;
    if (napi_create_arraybuffer(env, count * sizeof(T), &at, &memory) != napi_ok) return false;
    if (napi_create_typedarray(env, kArrayType<T>, count, memory, 0, &array) != napi_ok) return false;
    count_ = count;
    env_ = env;
    return array_.set(env, array);
  }

  // The array, and its memory in `data`. Both null where JavaScript has detached it; asked each time for that reason.
  napi_value open(T** data) const {
    *data = nullptr;
    napi_value array = array_.value();
    if (array == nullptr) return nullptr;
    size_t length = 0;
    void* at = nullptr;
    napi_typedarray_type type{};
    if (napi_get_typedarray_info(env_, array, &type, &length, &at, nullptr, nullptr) != napi_ok || length != count_) {
      return nullptr;
    }
    *data = static_cast<T*>(at);
    return array;
  }

  void clear() { array_.clear(); }

 private:
  napi_env env_ = nullptr;
  size_t count_ = 0;
  Reference array_;
};

}  // namespace weft

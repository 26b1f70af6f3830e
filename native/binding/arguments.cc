#include "binding/arguments.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace weft {

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  if (napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) != napi_ok) count_ = 0;
  if (count_ > kMost) count_ = kMost;
}

bool Arguments::wrong(size_t index, const char* expected) const {
  char message[96];
  std::snprintf(message, sizeof message, "argument %zu must be %s", index, expected);
  napi_throw_type_error(env_, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool Arguments::integer(size_t index, int64_t least, int64_t most, int64_t* out) const {
  double value = 0;
  if (index >= count_ || napi_get_value_double(env_, values_[index], &value) != napi_ok ||
      std::trunc(value) != value || value < static_cast<double>(least) || value > static_cast<double>(most)) {
    return wrong(index, "an integer in range");
  }
  *out = static_cast<int64_t>(value);
  return true;
}

bool Arguments::text(size_t index, char* out, size_t size) const {
  size_t length = 0;
  if (index >= count_ || napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &length) != napi_ok ||
      length == 0 || length >= size) {
    return wrong(index, "a string of permitted length");
  }
  napi_get_value_string_utf8(env_, values_[index], out, size, &length);
  if (std::strlen(out) != length) return wrong(index, "a string without NUL");
  return true;
}

bool Arguments::bytes(size_t index, const uint8_t** data, size_t* length) const {
  napi_typedarray_type type{};
  void* at = nullptr;
  if (index >= count_ ||
      napi_get_typedarray_info(env_, values_[index], &type, length, &at, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return wrong(index, "a Uint8Array");
  }
  *data = static_cast<const uint8_t*>(at);
  return true;
}

bool Arguments::function(size_t index, Reference* out) const {
  napi_valuetype type = napi_undefined;
  if (index >= count_ || napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_function ||
      !out->set(env_, values_[index])) {
    return wrong(index, "a function");
  }
  return true;
}

}  // namespace weft

#include "binding/values.h"

#include <cstring>

namespace weft {

napi_value number(napi_env env, double value) {
  napi_value out = nullptr;
  napi_create_double(env, value, &out);
  return out;
}

napi_value boolean(napi_env env, bool value) {
  napi_value out = nullptr;
  napi_get_boolean(env, value, &out);
  return out;
}

napi_value undefined(napi_env env) {
  napi_value out = nullptr;
  napi_get_undefined(env, &out);
  return out;
}

napi_value text(napi_env env, const char* value) {
  napi_value out = nullptr;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &out);
  return out;
}

napi_value bytesValue(napi_env env, const void* data, size_t length) {
  void* at = nullptr;
  napi_value buffer = nullptr;
  napi_value out = nullptr;
  if (napi_create_arraybuffer(env, length, &at, &buffer) != napi_ok) return nullptr;
  if (length > 0) std::memcpy(at, data, length);
  if (napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &out) != napi_ok) return nullptr;
  return out;
}

void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

void bindAll(napi_env env, napi_value exports, std::span<const Binding> bindings) {
  for (const Binding& binding : bindings) {
    napi_value function = nullptr;
    napi_create_function(env, binding.name, NAPI_AUTO_LENGTH, binding.call, nullptr, &function);
    setProperty(env, exports, binding.name, function);
  }
}

}  // namespace weft

#pragma once

#include <node_api.h>

#include <cstddef>
#include <span>

namespace weft {

napi_value number(napi_env env, double value);
napi_value boolean(napi_env env, bool value);
napi_value undefined(napi_env env);
napi_value text(napi_env env, const char* value);
// A Uint8Array of its own memory with a copy of `data`; null with an error pending when memory is short.
napi_value bytesValue(napi_env env, const void* data, size_t length);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);

// A function that JavaScript gets under this name.
struct Binding {
  const char* name;
  napi_callback call;
};

// Gives `exports` these functions.
void bindAll(napi_env env, napi_value exports, std::span<const Binding> bindings);

}  // namespace weft

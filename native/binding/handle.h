#pragma once

#include <node_api.h>

#include "loop/held.h"

namespace weft {

// JavaScript holds native objects as tagged externals, so a wrong or closed handle is a TypeError, never a crash.

napi_value wrapHandle(napi_env env, Held* object, const napi_type_tag& tag, napi_finalize finalize);
void* unwrapHandle(napi_env env, napi_value value, const napi_type_tag& tag);

// Wraps `object` (one hold is taken for the external). T needs `static const napi_type_tag kTag`, and `collected()`,
// which is called when JavaScript has forgotten the handle.
template <class T>
napi_value makeHandle(napi_env env, T* object) {
  return wrapHandle(env, object, T::kTag, [](napi_env, void* data, void*) {
    T* held = static_cast<T*>(static_cast<Held*>(data));
    held->collected();
    held->release();
  });
}

// The native object of a handle; null with a TypeError pending for anything else.
template <class T>
T* readHandle(napi_env env, napi_value value) {
  return static_cast<T*>(static_cast<Held*>(unwrapHandle(env, value, T::kTag)));
}

}  // namespace weft

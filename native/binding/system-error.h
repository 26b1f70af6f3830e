#pragma once

#include <node_api.h>

#include "device/failure.h"

namespace weft {

// An Error with `code` ("EPERM"), `errno` (1) and `syscall` as Node's own system errors have.
napi_value systemError(napi_env env, int error, const char* syscall);
// Throws it; returns null, so a binding can `return throwSystemError(…)`.
napi_value throwSystemError(napi_env env, int error, const char* syscall);
inline napi_value throwSystemError(napi_env env, const Failure& failure) {
  return throwSystemError(env, failure.error, failure.call);
}

}  // namespace weft

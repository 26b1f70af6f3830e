#include "binding/system-error.h"

#include <cstdio>
#include <cstring>

#include "binding/values.h"

namespace weft {

napi_value systemError(napi_env env, int error, const char* syscall) {
  const char* name = strerrorname_np(error);
  char unknown[32];
  if (name == nullptr) {
    std::snprintf(unknown, sizeof unknown, "E%d", error);
    name = unknown;
  }
  const char* description = strerrordesc_np(error);
  char message[160];
  std::snprintf(message, sizeof message, "%s: %s, %s", name, description ? description : "unknown error", syscall);
  napi_value out = nullptr;
  napi_create_error(env, text(env, name), text(env, message), &out);
  setProperty(env, out, "errno", number(env, error));
  setProperty(env, out, "syscall", text(env, syscall));
  return out;
}

napi_value throwSystemError(napi_env env, int error, const char* syscall) {
  napi_throw(env, systemError(env, error, syscall));
  return nullptr;
}

}  // namespace weft

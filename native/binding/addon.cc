// The entry point of the addon.
#include <uv.h>

#include "binding/parts.h"
#include "binding/values.h"

NAPI_MODULE_INIT() {
  // The headers are Debian's libuv, the code is Node's. Version 1 keeps its ABI; make sure of what we embed.
  if (uv_handle_size(UV_POLL) != sizeof(uv_poll_t) || uv_handle_size(UV_TIMER) != sizeof(uv_timer_t)) {
    napi_throw_error(env, nullptr, "libuv of this Node has another layout than the headers weft was built with");
    return nullptr;
  }
  weft::bindTun(env, exports);
  weft::bindUdp(env, exports);
  weft::bindNetlinkRequests(env, exports);
  weft::bindNetlinkEvents(env, exports);
  weft::bindLocalSocket(env, exports);
  weft::bindPacketCapture(env, exports);
  weft::bindSocketOptions(env, exports);
  return exports;
}

namespace weft {

void bindAll(napi_env env, napi_value exports, std::span<const Binding> bindings) {
  for (const Binding& binding : bindings) {
    napi_value function = nullptr;
    napi_create_function(env, binding.name, NAPI_AUTO_LENGTH, binding.call, nullptr, &function);
    setProperty(env, exports, binding.name, function);
  }
}

}  // namespace weft

// The entry point of the addon.
#include <uv.h>

#include "binding/parts.h"

NAPI_MODULE_INIT() {
  // The headers are Debian's libuv, the code is Node's. Version 1 keeps its ABI; make sure of what we embed.
  if (uv_handle_size(UV_POLL) != sizeof(uv_poll_t) || uv_handle_size(UV_TIMER) != sizeof(uv_timer_t) ||
      uv_handle_size(UV_ASYNC) != sizeof(uv_async_t)) {
    napi_throw_error(env, nullptr, "libuv of this Node has another layout than the headers weft was built with");
    return nullptr;
  }
  weft::bindAead(env, exports);
  weft::bindTun(env, exports);
  weft::bindUdp(env, exports);
  weft::bindFastdp(env, exports);
  weft::bindNetlinkRequests(env, exports);
  weft::bindNetlinkEvents(env, exports);
  weft::bindLocalSocket(env, exports);
  weft::bindPacketCapture(env, exports);
  weft::bindDescriptorWatch(env, exports);
  weft::bindSocketOptions(env, exports);
  weft::bindKeepOutOfDumps(env, exports);
  return exports;
}

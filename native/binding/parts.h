#pragma once

#include <node_api.h>

namespace weft {

// The parts of the addon; each binds its own functions.
void bindAead(napi_env env, napi_value exports);
void bindTun(napi_env env, napi_value exports);
void bindUdp(napi_env env, napi_value exports);
void bindFastdp(napi_env env, napi_value exports);
void bindNetlinkRequests(napi_env env, napi_value exports);
void bindNetlinkEvents(napi_env env, napi_value exports);
void bindLocalSocket(napi_env env, napi_value exports);
void bindPacketCapture(napi_env env, napi_value exports);
void bindDescriptorWatch(napi_env env, napi_value exports);
void bindSocketOptions(napi_env env, napi_value exports);
void bindKeepOutOfDumps(napi_env env, napi_value exports);

}  // namespace weft

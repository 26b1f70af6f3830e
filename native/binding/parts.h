#pragma once

#include <node_api.h>

#include <span>

namespace weft {

// A function that JavaScript gets under this name.
struct Binding {
  const char* name;
  napi_callback call;
};

void bindAll(napi_env env, napi_value exports, std::span<const Binding> bindings);

// The parts of the addon; each binds its own functions.
void bindTun(napi_env env, napi_value exports);
void bindUdp(napi_env env, napi_value exports);
void bindNetlinkRequests(napi_env env, napi_value exports);
void bindNetlinkEvents(napi_env env, napi_value exports);
void bindLocalSocket(napi_env env, napi_value exports);
void bindPacketCapture(napi_env env, napi_value exports);
void bindSocketOptions(napi_env env, napi_value exports);

}  // namespace weft

#pragma once

#include <node_api.h>

#include "device/tun-device.h"
#include "device/udp-socket.h"

namespace weft {

// The device of a handle that tunOpen gave, and the socket of one of udpOpen; null with a TypeError pending for anything
// else. Valid until control returns to JavaScript.
const TunDevice* tunOf(napi_env env, napi_value handle);
const UdpSocket* udpOf(napi_env env, napi_value handle);

}  // namespace weft

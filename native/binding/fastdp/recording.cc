// Binds lanes without devices: packets are fed to them, and what comes out is taken.
#include <algorithm>
#include <vector>

#include "binding/fastdp/fastdp.h"
#include "binding/handle.h"
#include "binding/values.h"

namespace weft {
namespace {

// What a call that feeds lanes is for; null with an error pending where they have devices.
Fastdp* recordingOf(napi_env env, const Arguments& arguments) {
  Fastdp* fastdp = readHandle<Fastdp>(env, arguments.raw(0));
  if (fastdp == nullptr || fastdp->recorder() != nullptr) return fastdp;
  throwWrong(env, "this fast datapath has devices, or is closed");
  return nullptr;
}

// fastFrame(handle, frame): as the TUN would give it
napi_value fastFrame(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = recordingOf(env, arguments);
  const uint8_t* frame = nullptr;
  size_t length = 0;
  if (fastdp == nullptr || !arguments.bytes(1, &frame, &length)) return nullptr;
  std::vector<uint8_t> own(frame, frame + length);
  fastdp->lanes()->outbound.handleFrame(own.data(), length, Engine::now());
  fastdp->lanes()->outbound.flush();
  return undefined(env);
}

// fastDatagrams(handle, family 4|6, origin, bytes, segment, tos): as a socket would give them; origin: 20 bytes of the
// words of port and address
napi_value fastDatagrams(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = recordingOf(env, arguments);
  int64_t family = 0;
  const uint8_t* origin = nullptr;
  size_t originLength = 0;
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  int64_t segment = 0;
  int64_t tos = 0;
  if (fastdp == nullptr || !arguments.integer(1, 4, 6, &family) || !arguments.bytes(2, &origin, &originLength) ||
      !arguments.bytes(3, &bytes, &length) || !arguments.integer(4, length == 0 ? 0 : 1, UINT16_MAX, &segment) ||
      !arguments.integer(5, 0, 255, &tos)) {
    return nullptr;
  }
  Origin from;
  if (originLength != sizeof from.words) return throwWrong(env, "an origin of 20 bytes is wanted");
  std::copy_n(origin, originLength, reinterpret_cast<uint8_t*>(from.words));
  std::vector<uint8_t> own(bytes, bytes + length);
  Inbound& inbound = fastdp->lanes()->inbound;
  inbound.handleDatagrams(static_cast<uint32_t>(family), from, own.data(), length, static_cast<size_t>(segment),
                          static_cast<uint8_t>(tos), Engine::now());
  inbound.flush();
  return undefined(env);
}

// fastRecorded(handle) → bytes, see Recorder
napi_value fastRecorded(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = recordingOf(env, arguments);
  if (fastdp == nullptr) return nullptr;
  const std::vector<uint8_t> taken = fastdp->recorder()->take();
  return bytesValue(env, taken.data(), taken.size());
}

// fastTakeUpward(handle, words, room) → count: what was left to others, into the bytes of 256 records' words and into room
napi_value fastTakeUpward(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = recordingOf(env, arguments);
  const uint8_t* words = nullptr;
  size_t wordBytes = 0;
  const uint8_t* room = nullptr;
  size_t roomBytes = 0;
  if (fastdp == nullptr || !arguments.bytes(1, &words, &wordBytes) || !arguments.bytes(2, &room, &roomBytes)) return nullptr;
  if (reinterpret_cast<uintptr_t>(words) % 4 != 0) return throwWrong(env, "32-bit words are wanted");
  // The caller's memory is JavaScript's and its to fill; arguments that are only read come as const.
  auto* out = reinterpret_cast<uint32_t*>(const_cast<uint8_t*>(words));
  const size_t most = wordBytes / (UpwardQueue::kWords * sizeof(uint32_t));
  const size_t count = fastdp->lanes()->upward.take(out, most, const_cast<uint8_t*>(room), roomBytes);
  return number(env, static_cast<double>(count));
}

}  // namespace

void bindFastdpRecording(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"fastFrame", fastFrame},
                              {"fastDatagrams", fastDatagrams},
                              {"fastTakeUpward", fastTakeUpward},
                              {"fastRecorded", fastRecorded}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

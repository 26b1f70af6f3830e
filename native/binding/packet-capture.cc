// Binds captures of what an interface sends.
#include "device/packet-capture.h"

#include <cerrno>
#include <utility>

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"

namespace weft {
namespace {

class Capture final : public Held {
 public:
  static const napi_type_tag kTag;

  explicit Capture(PacketCapture capture) : capture_(std::move(capture)) {}

  PacketCapture* capture() { return &capture_; }
  void collected() { capture_.close(); }

 private:
  ~Capture() override = default;

  PacketCapture capture_;
};

const napi_type_tag Capture::kTag = {0x5765667443617031, 0x6bb0c94a51f7d208};

// captureOpen(link) → handle
napi_value captureOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t link = 0;
  if (!arguments.integer(0, 1, INT32_MAX, &link)) return nullptr;
  PacketCapture capture;
  if (Failure failure = PacketCapture::open(static_cast<int>(link), &capture)) return throwSystemError(env, failure);
  return makeHandle(env, new Capture(std::move(capture)));
}

// captureSearch(handle, bytes) → {packets, matches}
napi_value captureSearch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Capture* capture = readHandle<Capture>(env, arguments.raw(0));
  const uint8_t* data = nullptr;
  size_t length = 0;
  if (capture == nullptr || !arguments.bytes(1, &data, &length)) return nullptr;
  if (!capture->capture()->valid()) return throwSystemError(env, EBADF, "capture");
  PacketCapture::Found found;
  if (Failure failure = capture->capture()->search(data, length, &found)) return throwSystemError(env, failure);
  napi_value result = nullptr;
  napi_create_object(env, &result);
  setProperty(env, result, "packets", number(env, found.packets));
  setProperty(env, result, "matches", number(env, found.matches));
  return result;
}

// captureClose(handle)
napi_value captureClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Capture* capture = readHandle<Capture>(env, arguments.raw(0));
  if (capture == nullptr) return nullptr;
  capture->capture()->close();
  return undefined(env);
}

}  // namespace

void bindPacketCapture(napi_env env, napi_value exports) {
  const Binding bindings[] = {
      {"captureOpen", captureOpen}, {"captureSearch", captureSearch}, {"captureClose", captureClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

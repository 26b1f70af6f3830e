// Binds the fast datapath: opens, starts and closes it.
#include "binding/fastdp/fastdp.h"

#include <cerrno>

#include "binding/fastdp/devices.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"

namespace weft {

const napi_type_tag Fastdp::kTag = {0x5765667446617374, 0x61b3d8e4027f95ac};

namespace {

// What one call of onUp holds at most; a frame fits for certain. And calls in one turn of the event loop.
constexpr size_t kRoom = 256 * 1024;
constexpr size_t kRecords = 256;
constexpr int kCallsATurn = 8;

}  // namespace

int Fastdp::start(Reference self, Reference onUp) {
  if (!buffer_.create(env(), kRoom) || !words_.create(env(), kRecords * UpwardQueue::kWords)) return ENOMEM;
  if (int failed = uv_async_init(eventLoop(env()), &async_, [](uv_async_t* handle) {
        static_cast<Fastdp*>(handle->data)->handOver();
      })) {
    return -failed;
  }
  async_.data = this;
  started_ = true;
  self_ = std::move(self);
  onUp_ = std::move(onUp);
  hold();
  opened("weft:fastdp");
  return engine_ == nullptr ? 0 : engine_->start();
}

void Fastdp::stop() {
  if (engine_ == nullptr) return;
  engine_->stop();
  hold();
  while (handOverSome()) {
  }
  release();
}

void Fastdp::close() {
  if (lanes_ == nullptr) return;
  lanes_ = nullptr;
  engine_ = nullptr;
  recorded_ = nullptr;
  recorder_ = nullptr;
  onUp_.clear();
  buffer_.clear();
  words_.clear();
  if (started_) {
    uv_close(reinterpret_cast<uv_handle_t*>(&async_), [](uv_handle_t* handle) {
      auto* self = static_cast<Fastdp*>(handle->data);
      self->closed();
      self->release();
    });
  }
  self_.clear();
}

void Fastdp::handOver() {
  Scope scope(env());
  hold();
  for (int calls = 0; lanes_ != nullptr; calls++) {
    if (calls == kCallsATurn) {
      uv_async_send(&async_);
      break;
    }
    if (!handOverSome()) break;
  }
  release();
}

bool Fastdp::handOverSome() {
  if (lanes_ == nullptr || !started_) return false;
  uint8_t* buffer = nullptr;
  uint32_t* words = nullptr;
  napi_value values[3] = {buffer_.open(&buffer), words_.open(&words)};
  if (buffer == nullptr || words == nullptr) return false;
  const size_t count = lanes_->upward.take(words, kRecords, buffer, kRoom);
  if (count == 0) return false;
  values[2] = number(env(), static_cast<double>(count));
  call(onUp_, 3, values);
  return true;
}

napi_value throwWrong(napi_env env, const char* what) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", what);
  return nullptr;
}

Lanes* lanesOf(napi_env env, const Arguments& arguments) {
  Fastdp* fastdp = readHandle<Fastdp>(env, arguments.raw(0));
  if (fastdp == nullptr) return nullptr;
  if (fastdp->lanes() == nullptr) throwWrong(env, "the fast datapath is closed");
  return fastdp->lanes();
}

namespace {

// The socket of a handle, duplicated.
bool duplicateOf(napi_env env, napi_value list, uint32_t index, UdpSocket* own) {
  napi_value handle = nullptr;
  napi_get_element(env, list, index, &handle);
  const UdpSocket* socket = udpOf(env, handle);
  if (socket == nullptr) return false;
  if (Failure failure = socket->duplicate(own)) {
    throwSystemError(env, failure);
    return false;
  }
  return true;
}

bool addSockets(napi_env env, napi_value list, const uint8_t* segments, size_t flags, EngineDevices* devices) {
  uint32_t count = 0;
  if (list == nullptr || napi_get_array_length(env, list, &count) != napi_ok || count != flags) {
    throwWrong(env, "a list of sockets, and a flag for each, are wanted");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    UdpSocket own;
    if (!duplicateOf(env, list, i, &own)) return false;
    devices->sockets.push_back(std::move(own));
    devices->segments.push_back(segments[i] != 0);
  }
  return true;
}

// Sockets of further ports.
bool addPorts(napi_env env, napi_value list, EngineDevices* devices) {
  uint32_t count = 0;
  if (list == nullptr || napi_get_array_length(env, list, &count) != napi_ok) {
    throwWrong(env, "a list of further sockets is wanted");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    UdpSocket own;
    if (!duplicateOf(env, list, i, &own)) return false;
    if (int failed = own.refuseAll()) {
      throwSystemError(env, failed, "setsockopt SO_ATTACH_FILTER");
      return false;
    }
    (own.family() == AF_INET ? devices->ports4 : devices->ports6).push_back(std::move(own));
  }
  return true;
}

// fastOpen(tun handle or undefined, udp handles, flags, coalesceTcp 0|1, coalesceUdp 0|1, udp handles) → handle
// Without a TUN nothing is moved but by fastFrame and fastDatagrams. A flag: whether runs leave that socket by one call.
// The last handles are further ports to send from; nothing is received there.
napi_value fastOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint8_t* segments = nullptr;
  size_t flags = 0;
  int64_t coalesceTcp = 0;
  int64_t coalesceUdp = 0;
  if (!arguments.bytes(2, &segments, &flags) || !arguments.integer(3, 0, 1, &coalesceTcp) ||
      !arguments.integer(4, 0, 1, &coalesceUdp)) {
    return nullptr;
  }
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments.raw(0), &type);
  if (type == napi_undefined) {
    auto* recording = new Fastdp(env);
    recording->useRecorder(coalesceTcp == 1, coalesceUdp == 1);
    return makeHandle(env, recording);
  }
  const TunDevice* tun = tunOf(env, arguments.raw(0));
  if (tun == nullptr) return nullptr;
  EngineDevices devices;
  devices.coalesceTcp = coalesceTcp == 1;
  devices.coalesceUdp = coalesceUdp == 1;
  if (Failure failure = tun->duplicate(&devices.tun)) return throwSystemError(env, failure);
  if (!addSockets(env, arguments.raw(1), segments, flags, &devices)) return nullptr;
  if (!addPorts(env, arguments.raw(5), &devices)) return nullptr;
  auto* fastdp = new Fastdp(env);
  fastdp->useDevices(std::move(devices));
  return makeHandle(env, fastdp);
}

// fastStart(handle, onUp(buffer, words, count))
napi_value fastStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = readHandle<Fastdp>(env, arguments.raw(0));
  Reference self;
  Reference onUp;
  if (fastdp == nullptr || !arguments.function(1, &onUp) || !self.set(env, arguments.raw(0))) return nullptr;
  if (fastdp->started() || fastdp->lanes() == nullptr) return throwSystemError(env, EALREADY, "start");
  int failed = fastdp->start(std::move(self), std::move(onUp));
  return failed != 0 ? throwSystemError(env, failed, "start") : undefined(env);
}

// fastStop(handle)
napi_value fastStop(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = readHandle<Fastdp>(env, arguments.raw(0));
  if (fastdp == nullptr) return nullptr;
  fastdp->stop();
  return undefined(env);
}

// fastClose(handle)
napi_value fastClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Fastdp* fastdp = readHandle<Fastdp>(env, arguments.raw(0));
  if (fastdp == nullptr) return nullptr;
  fastdp->close();
  return undefined(env);
}

}  // namespace

void bindFastdp(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"fastOpen", fastOpen}, {"fastStart", fastStart}, {"fastStop", fastStop}, {"fastClose", fastClose}};
  bindAll(env, exports, bindings);
  bindFastdpSessions(env, exports);
  bindFastdpChanges(env, exports);
  bindFastdpRecording(env, exports);
}

}  // namespace weft

// Binds TUN devices: drained in batches on the event loop, written synchronously.
#include <cerrno>
#include <utility>

#include "binding/arguments.h"
#include "binding/event-source.h"
#include "binding/fastdp/devices.h"
#include "binding/frame-arrays.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"
#include "device/tun-device.h"

namespace weft {
namespace {

class Tun final : public DescriptorSource {
 public:
  static const napi_type_tag kTag;

  struct Callbacks {
    Reference onBatch;
    Reference onError;
  };

  Tun(napi_env env, TunDevice device) : DescriptorSource(env), device_(std::move(device)) {}

  const TunDevice& device() const { return device_; }

  // Creates the batch buffers and begins to read. 0 or an errno.
  int start(Reference self, Callbacks callbacks) {
    if (!arrays_.create(env())) return ENOMEM;
    callbacks_ = std::move(callbacks);
    return begin(device_.fd(), "weft:tun", std::move(self));
  }

 private:
  ~Tun() override = default;

  void ready(int, int error) override {
    if (error == 0) error = deliver();
    if (error == 0 || isClosed()) return;
    stop();
    napi_value value = systemError(env(), error, "read");
    call(callbacks_.onError, 1, &value);
  }

  // Reads a batch and hands it over. 0, or the errno that ends the device.
  int deliver() {
    FrameBatch batch;
    if (!arrays_.open(&batch)) return EFAULT;
    int error = device_.read(&batch);
    if (batch.count > 0) call(callbacks_.onBatch, arrays_.kArguments, arrays_.arguments(env(), batch));
    return error;
  }

  void letGo() override {
    callbacks_ = {};
    arrays_.clear();
    device_.close();
  }

  TunDevice device_;
  Callbacks callbacks_;
  FrameArrays<TunDevice> arrays_;
};

const napi_type_tag Tun::kTag = {0x5765667454756e31, 0xa3c1e6f0427b4d58};

// {handle, fd, name, vnetHeader, offloads}
napi_value opened(napi_env env, TunDevice device) {
  auto* tun = new Tun(env, std::move(device));
  napi_value handle = makeHandle(env, tun);
  if (handle == nullptr) return nullptr;
  napi_value out = nullptr;
  napi_create_object(env, &out);
  setProperty(env, out, "handle", handle);
  setProperty(env, out, "fd", number(env, tun->device().fd()));
  setProperty(env, out, "name", text(env, tun->device().name()));
  setProperty(env, out, "vnetHeader", boolean(env, tun->device().vnetHeader()));
  setProperty(env, out, "offloads", number(env, tun->device().offloads()));
  return out;
}

// tunOpen(name, vnetHeader 0|1, persistent 0|1) → see opened
napi_value tunOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  char name[IFNAMSIZ];
  int64_t vnetHeader = 0;
  int64_t persistent = 0;
  if (!arguments.text(0, name, sizeof name) || !arguments.integer(1, 0, 1, &vnetHeader) ||
      !arguments.integer(2, 0, 1, &persistent)) {
    return nullptr;
  }
  TunDevice device;
  if (Failure failure = TunDevice::open(name, vnetHeader == 1, persistent == 1, &device)) {
    return throwSystemError(env, failure);
  }
  return opened(env, std::move(device));
}

// tunAdopt(fd of another process's device) → see opened; `fd` stays open
napi_value tunAdopt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  TunDevice device;
  if (Failure failure = TunDevice::adopt(static_cast<int>(fd), &device)) return throwSystemError(env, failure);
  return opened(env, std::move(device));
}

// tunStart(handle, onBatch(buffer, offsets, lengths, count), onError(error))
napi_value tunStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Tun* tun = readHandle<Tun>(env, arguments.raw(0));
  if (tun == nullptr) return nullptr;
  if (tun->started()) return throwSystemError(env, EALREADY, "start");
  Tun::Callbacks callbacks;
  Reference self;
  if (!arguments.function(1, &callbacks.onBatch) || !arguments.function(2, &callbacks.onError) ||
      !self.set(env, arguments.raw(0))) {
    return nullptr;
  }
  int failed = tun->start(std::move(self), std::move(callbacks));
  return failed != 0 ? throwSystemError(env, failed, "start") : undefined(env);
}

// tunWrite(handle, frame) → bytes written or −errno
napi_value tunWrite(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Tun* tun = readHandle<Tun>(env, arguments.raw(0));
  const uint8_t* data = nullptr;
  size_t length = 0;
  if (tun == nullptr || !arguments.bytes(1, &data, &length)) return nullptr;
  if (!tun->device().valid()) return number(env, -EBADF);
  return number(env, static_cast<double>(tun->device().write(data, length)));
}

// tunClose(handle)
napi_value tunClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Tun* tun = readHandle<Tun>(env, arguments.raw(0));
  if (tun == nullptr) return nullptr;
  tun->close();
  return undefined(env);
}

}  // namespace

const TunDevice* tunOf(napi_env env, napi_value handle) {
  Tun* tun = readHandle<Tun>(env, handle);
  return tun == nullptr ? nullptr : &tun->device();
}

void bindTun(napi_env env, napi_value exports) {
  const Binding bindings[] = {
      {"tunOpen", tunOpen}, {"tunAdopt", tunAdopt}, {"tunStart", tunStart}, {"tunWrite", tunWrite}, {"tunClose", tunClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

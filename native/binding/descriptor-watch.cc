// Binds descriptors of any kind that another process handed over: whether they can be read, and their bytes.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "binding/arguments.h"
#include "binding/event-source.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"
#include "device/descriptor.h"

namespace weft {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
// A descriptor that never runs dry must not hold the event loop.
constexpr int kMostReads = 4096;

class DescriptorWatch final : public DescriptorSource {
 public:
  static const napi_type_tag kTag;

  DescriptorWatch(napi_env env, Descriptor descriptor) : DescriptorSource(env), descriptor_(std::move(descriptor)) {}

  int fd() const { return descriptor_.get(); }

  // Tells once when there is something to read. 0 or an errno.
  int start(Reference self, Reference onReadable) {
    onReadable_ = std::move(onReadable);
    return begin(fd(), "weft:descriptor-watch", std::move(self));
  }

  // Tells once more.
  void again() {
    if (started() && !isClosed()) resume();
  }

  // Reads at most `room` bytes. Their number, or −errno.
  ssize_t read(uint8_t* into, size_t room) {
    ssize_t got = -1;
    do {
      got = ::read(fd(), into, room);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
  }

 private:
  ~DescriptorWatch() override = default;

  // An error of the descriptor is told like bytes: whoever reads then learns what it is.
  void ready(int, int) override {
    stop();
    call(onReadable_, 0, nullptr);
  }

  void letGo() override {
    onReadable_.clear();
    descriptor_.reset();
  }

  Descriptor descriptor_;
  Reference onReadable_;
};

const napi_type_tag DescriptorWatch::kTag = {0x5765667444577631, 0x4c8f21d07be3a915};

// descriptorAdopt(fd) → handle of a duplicate, which reads without waiting
napi_value descriptorAdopt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  Descriptor descriptor(::fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 3));
  if (!descriptor.valid()) return throwSystemError(env, errno, "fcntl");
  int flags = ::fcntl(descriptor.get(), F_GETFL);
  if (flags < 0 || ::fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return throwSystemError(env, errno, "fcntl");
  }
  return makeHandle(env, new DescriptorWatch(env, std::move(descriptor)));
}

// descriptorStart(handle, onReadable())
napi_value descriptorStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DescriptorWatch* watch = readHandle<DescriptorWatch>(env, arguments.raw(0));
  if (watch == nullptr) return nullptr;
  if (watch->started()) return throwSystemError(env, EALREADY, "start");
  Reference onReadable;
  Reference self;
  if (!arguments.function(1, &onReadable) || !self.set(env, arguments.raw(0))) return nullptr;
  int failed = watch->start(std::move(self), std::move(onReadable));
  return failed != 0 ? throwSystemError(env, failed, "poll") : undefined(env);
}

// descriptorAgain(handle)
napi_value descriptorAgain(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DescriptorWatch* watch = readHandle<DescriptorWatch>(env, arguments.raw(0));
  if (watch == nullptr) return nullptr;
  watch->again();
  return undefined(env);
}

// descriptorRead(handle) → bytes, none where nothing is there
napi_value descriptorRead(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DescriptorWatch* watch = readHandle<DescriptorWatch>(env, arguments.raw(0));
  if (watch == nullptr) return nullptr;
  uint8_t bytes[kReadBytes];
  ssize_t got = watch->read(bytes, sizeof bytes);
  if (got < 0 && got != -EAGAIN) return throwSystemError(env, static_cast<int>(-got), "read");
  return bytesValue(env, bytes, got < 0 ? 0 : static_cast<size_t>(got));
}

// descriptorDrain(handle): throws away what is there to read. Events that were lost are no error.
napi_value descriptorDrain(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DescriptorWatch* watch = readHandle<DescriptorWatch>(env, arguments.raw(0));
  if (watch == nullptr) return nullptr;
  uint8_t bytes[16];
  for (int i = 0; i < kMostReads; i++) {
    ssize_t got = watch->read(bytes, sizeof bytes);
    if (got == 0 || got == -EAGAIN) break;
    if (got < 0 && got != -ENOBUFS) return throwSystemError(env, static_cast<int>(-got), "read");
  }
  return undefined(env);
}

// descriptorNumber(handle) → the descriptor, −1 once it is closed
napi_value descriptorNumber(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DescriptorWatch* watch = readHandle<DescriptorWatch>(env, arguments.raw(0));
  return watch == nullptr ? nullptr : number(env, watch->fd());
}

// descriptorClose(handle)
napi_value descriptorClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DescriptorWatch* watch = readHandle<DescriptorWatch>(env, arguments.raw(0));
  if (watch == nullptr) return nullptr;
  watch->close();
  return undefined(env);
}

}  // namespace

void bindDescriptorWatch(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"descriptorAdopt", descriptorAdopt}, {"descriptorStart", descriptorStart},
                              {"descriptorAgain", descriptorAgain}, {"descriptorRead", descriptorRead},
                              {"descriptorDrain", descriptorDrain}, {"descriptorNumber", descriptorNumber},
                              {"descriptorClose", descriptorClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

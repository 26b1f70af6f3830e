// TUN devices: one descriptor, drained in batches on the event loop, written synchronously.
//
// A frame, both ways, with virtio header (`vnetHeader`):
//
//   0      1         2           4           6            8            10
//   | flags| gso type| header len| gso size  | csum start | csum offset| IP packet …
//
// all little endian (TUNSETVNETLE); without the header a frame is just the IP packet.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "support.h"

// Newer than Debian 12's headers; the kernel says EINVAL where it does not know them (before 6.2).
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace weft {
namespace {

// One wake-up reads at most this many frames or starts no further read past this many bytes, so that a flood from
// the pods leaves the event loop to the other sockets in between.
constexpr int kBatchFrames = 64;
constexpr size_t kBatchBytes = 512 * 1024;
// The longest frame: a virtio header and the longest IP packet (an IPv6 jumbogram does not come out of a TUN).
constexpr size_t kMaxFrame = 10 + 65575;
constexpr size_t kBufferBytes = kBatchBytes + kMaxFrame;

constexpr unsigned kChecksumOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr unsigned kUdpOffloads = TUN_F_USO4 | TUN_F_USO6;

class Tun final : public Source {
 public:
  static const napi_type_tag kTag;

  Tun(napi_env env, Descriptor descriptor) : Source(env), descriptor_(static_cast<Descriptor&&>(descriptor)) {}

  int fd() const { return descriptor_.get(); }
  bool started() const { return polling_ || closed_; }

  // Creates the batch buffers and begins to read. 0 or an errno.
  int start(napi_ref self, napi_ref onBatch, napi_ref onError) {
    int created = createBuffers();
    if (created != 0) return created;
    poll_.data = this;
    int failed = uv_poll_init(eventLoop(env()), &poll_, fd());
    if (failed != 0) return -failed;
    self_ = self;
    onBatch_ = onBatch;
    onError_ = onError;
    polling_ = true;
    hold();
    opened("weft:tun");
    uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
      static_cast<Tun*>(handle->data)->readable(status);
    });
    return 0;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    if (polling_) {
      uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
        Tun* tun = static_cast<Tun*>(handle->data);
        tun->closed();
        tun->release();
      });
    }
    for (napi_ref* ref : {&onBatch_, &onError_, &buffer_, &offsets_, &lengths_, &self_}) {
      if (*ref != nullptr) napi_delete_reference(env(), *ref);
      *ref = nullptr;
    }
    descriptor_.reset();
  }

 private:
  ~Tun() override = default;

  // The buffers belong to JavaScript, so what it still holds after close() stays valid memory.
  int createBuffers() {
    void* at = nullptr;
    napi_value memory = nullptr;
    napi_value array = nullptr;
    if (napi_create_arraybuffer(env(), kBufferBytes, &at, &memory) != napi_ok) return ENOMEM;
    napi_create_typedarray(env(), napi_uint8_array, kBufferBytes, memory, 0, &array);
    napi_create_reference(env(), array, 1, &buffer_);
    for (napi_ref* ref : {&offsets_, &lengths_}) {
      if (napi_create_arraybuffer(env(), kBatchFrames * sizeof(int32_t), &at, &memory) != napi_ok) return ENOMEM;
      napi_create_typedarray(env(), napi_int32_array, kBatchFrames, memory, 0, &array);
      napi_create_reference(env(), array, 1, ref);
    }
    return 0;
  }

  // The memory of one of our arrays. Asked each time: had JavaScript detached it, the length would be 0.
  template <class T>
  T* memory(napi_ref ref, size_t expected, napi_value* value) {
    size_t length = 0;
    void* data = nullptr;
    napi_typedarray_type type{};
    if (napi_get_reference_value(env(), ref, value) != napi_ok || *value == nullptr ||
        napi_get_typedarray_info(env(), *value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
        length != expected) {
      return nullptr;
    }
    return static_cast<T*>(data);
  }

  void readable(int status) {
    Scope scope(env());
    hold();
    int error = status < 0 ? -status : drain();
    if (error != 0 && !closed_) {
      uv_poll_stop(&poll_);
      napi_value value = systemError(env(), error, "read");
      call(onError_, 1, &value);
    }
    release();
  }

  // Reads what is there, up to a batch, and hands it over. 0, or the errno that ends the device.
  int drain() {
    napi_value values[4] = {};
    auto* buffer = memory<uint8_t>(buffer_, kBufferBytes, &values[0]);
    auto* offsets = memory<int32_t>(offsets_, kBatchFrames, &values[1]);
    auto* lengths = memory<int32_t>(lengths_, kBatchFrames, &values[2]);
    if (buffer == nullptr || offsets == nullptr || lengths == nullptr) return EFAULT;
    int count = 0;
    size_t used = 0;
    int error = 0;
    while (count < kBatchFrames && used < kBatchBytes) {
      ssize_t got = ::read(fd(), buffer + used, kMaxFrame);
      if (got < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) error = errno;
        break;
      }
      if (got == 0) break;
      offsets[count] = static_cast<int32_t>(used);
      lengths[count] = static_cast<int32_t>(got);
      count++;
      used += static_cast<size_t>(got);
    }
    if (count > 0) {
      values[3] = number(env(), count);
      call(onBatch_, 4, values);
    }
    return error;
  }

  Descriptor descriptor_;
  uv_poll_t poll_ = {};
  bool polling_ = false;
  bool closed_ = false;
  napi_ref onBatch_ = nullptr;
  napi_ref onError_ = nullptr;
  napi_ref buffer_ = nullptr;
  napi_ref offsets_ = nullptr;
  napi_ref lengths_ = nullptr;
  napi_ref self_ = nullptr;  // keeps the external alive while we poll
};

const napi_type_tag Tun::kTag = {0x5765667454756e31, 0xa3c1e6f0427b4d58};

struct Opened {
  Descriptor descriptor;
  char name[IFNAMSIZ];
  bool vnetHeader;
  unsigned offloads;
};

// Attaches to (or creates) the device. 0, or the errno with the call that said it.
int attach(const char* name, bool vnetHeader, Opened* out, const char** syscall) {
  *syscall = "open /dev/net/tun";
  Descriptor descriptor(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!descriptor.valid()) return errno;
  ifreq request = {};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | (vnetHeader ? IFF_VNET_HDR : 0));
  *syscall = "ioctl TUNSETIFF";
  if (::ioctl(descriptor.get(), TUNSETIFF, &request) != 0) return errno;
  std::memcpy(out->name, request.ifr_name, IFNAMSIZ);
  out->name[IFNAMSIZ - 1] = '\0';
  out->descriptor = static_cast<Descriptor&&>(descriptor);
  out->vnetHeader = vnetHeader;
  out->offloads = 0;
  return 0;
}

// The most offloads this kernel grants, as TUN_F bits; 0 where it grants none.
unsigned negotiateOffloads(int fd) {
  for (unsigned wanted : {kChecksumOffloads | kUdpOffloads, kChecksumOffloads}) {
    if (::ioctl(fd, TUNSETOFFLOAD, static_cast<unsigned long>(wanted)) == 0) return wanted;
  }
  return 0;
}

int openTun(const char* name, bool vnetHeader, bool persistent, Opened* out, const char** syscall) {
  int failed = attach(name, vnetHeader, out, syscall);
  if (failed != 0) return failed;
  if (vnetHeader) {
    int size = 10;
    int littleEndian = 1;
    // A persistent device keeps what its last holder set, so every setting is set again.
    bool plain = ::ioctl(out->descriptor.get(), TUNSETVNETHDRSZ, &size) == 0 &&
                 (::ioctl(out->descriptor.get(), TUNSETVNETLE, &littleEndian) == 0 ||
                  __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    out->offloads = plain ? negotiateOffloads(out->descriptor.get()) : 0;
    if (out->offloads == 0) {
      out->descriptor.reset();
      failed = attach(name, false, out, syscall);
      if (failed != 0) return failed;
    }
  }
  if (!out->vnetHeader) ::ioctl(out->descriptor.get(), TUNSETOFFLOAD, 0UL);
  *syscall = "ioctl TUNSETPERSIST";
  return ::ioctl(out->descriptor.get(), TUNSETPERSIST, persistent ? 1UL : 0UL) == 0 ? 0 : errno;
}

// tunOpen(name, vnetHeader 0|1, persistent 0|1) → {handle, name, vnetHeader, offloads}
napi_value tunOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  char name[IFNAMSIZ];
  int64_t vnetHeader = 0;
  int64_t persistent = 0;
  if (!arguments.text(0, name, sizeof name) || !arguments.integer(1, 0, 1, &vnetHeader) ||
      !arguments.integer(2, 0, 1, &persistent)) {
    return nullptr;
  }
  Opened opened;
  const char* syscall = "";
  int failed = openTun(name, vnetHeader == 1, persistent == 1, &opened, &syscall);
  if (failed != 0) return throwSystemError(env, failed, syscall);
  napi_value handle = makeHandle(env, new Tun(env, static_cast<Descriptor&&>(opened.descriptor)));
  if (handle == nullptr) return nullptr;
  napi_value out = nullptr;
  napi_value text = nullptr;
  napi_create_object(env, &out);
  napi_create_string_utf8(env, opened.name, NAPI_AUTO_LENGTH, &text);
  setProperty(env, out, "handle", handle);
  setProperty(env, out, "name", text);
  setProperty(env, out, "vnetHeader", boolean(env, opened.vnetHeader));
  setProperty(env, out, "offloads", number(env, opened.offloads));
  return out;
}

// tunStart(handle, onBatch, onError)
napi_value tunStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Tun* tun = readHandle<Tun>(env, arguments.raw(0));
  if (tun == nullptr) return nullptr;
  if (tun->started()) return throwSystemError(env, EALREADY, "start");
  napi_ref self = nullptr;
  napi_ref onBatch = nullptr;
  napi_ref onError = nullptr;
  if (!arguments.function(1, &onBatch)) return nullptr;
  if (!arguments.function(2, &onError)) {
    napi_delete_reference(env, onBatch);
    return nullptr;
  }
  napi_create_reference(env, arguments.raw(0), 1, &self);
  int failed = tun->start(self, onBatch, onError);
  if (failed != 0) {
    for (napi_ref ref : {self, onBatch, onError}) napi_delete_reference(env, ref);
    return throwSystemError(env, failed, "start");
  }
  return undefined(env);
}

// tunWrite(handle, frame) → bytes written or −errno
napi_value tunWrite(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Tun* tun = readHandle<Tun>(env, arguments.raw(0));
  const uint8_t* data = nullptr;
  size_t length = 0;
  if (tun == nullptr || !arguments.bytes(1, &data, &length)) return nullptr;
  if (tun->fd() < 0) return number(env, -EBADF);
  ssize_t wrote = -1;
  do {
    wrote = ::write(tun->fd(), data, length);
  } while (wrote < 0 && errno == EINTR);
  return number(env, static_cast<double>(wrote < 0 ? -errno : wrote));
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

void bindTun(napi_env env, napi_value exports) {
  const Binding bindings[] = {
      {"tunOpen", tunOpen}, {"tunStart", tunStart}, {"tunWrite", tunWrite}, {"tunClose", tunClose}};
  bindAll(env, exports, bindings, sizeof bindings / sizeof bindings[0]);
}

}  // namespace weft

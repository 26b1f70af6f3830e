// Binds UDP sockets that move datagrams in batches: received on the event loop, sent synchronously.
#include <cerrno>
#include <utility>

#include "binding/arguments.h"
#include "binding/event-source.h"
#include "binding/fastdp/devices.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/reused-array.h"
#include "binding/system-error.h"
#include "binding/values.h"
#include "device/udp-receive.h"
#include "device/udp-self-test.h"
#include "device/udp-send.h"
#include "device/udp-socket.h"

namespace weft {
namespace {

class Udp final : public DescriptorSource {
 public:
  static const napi_type_tag kTag;

  struct Callbacks {
    Reference onBatch;
    Reference onWritable;
    Reference onError;
  };

  Udp(napi_env env, UdpSocket socket) : DescriptorSource(env), socket_(std::move(socket)) {}

  const UdpSocket& socket() const { return socket_; }

  // Creates the batch buffers and begins to read; or, without `reading`, leaves that to somebody else. 0 or an errno.
  int start(Reference self, Callbacks callbacks, bool reading) {
    watched_ = reading ? UV_READABLE : 0;
    if (reading && !create()) return ENOMEM;
    callbacks_ = std::move(callbacks);
    int failed = begin(socket_.fd(), "weft:udp", std::move(self));
    running_ = failed == 0;
    if (running_ && !reading) stop();
    return failed;
  }

  // Calls onWritable once, when the socket takes datagrams again. Until the socket is started that never happens.
  void awaitWritable() {
    if (running_ && !isClosed()) watch(watched_ | UV_WRITABLE);
  }

 private:
  ~Udp() override = default;

  void ready(int events, int error) override {
    // An error of the socket, such as ECONNABORTED from `ss --kill`, is taken off and told by the next read.
    if (error != 0) resume();
    if ((events & UV_WRITABLE) != 0) {
      watch(watched_);
      call(callbacks_.onWritable, 0, nullptr);
    }
    if (isClosed() || watched_ == 0 || (error == 0 && (events & UV_READABLE) == 0)) return;
    // What is wrong with one datagram or for a moment (ENOMEM, an ICMP error) is told, and the socket reads on.
    int failed = deliver();
    if (failed == 0 || isClosed()) return;
    napi_value value = number(env(), failed);
    call(callbacks_.onError, 1, &value);
  }

  bool create() {
    return buffer_.create(env(), UdpBatch::kBufferBytes) && words_.create(env(), UdpBatch::kMessages * UdpBatch::kWords);
  }

  // Reads a batch and hands it over. 0 or an errno.
  int deliver() {
    uint8_t* buffer = nullptr;
    uint32_t* words = nullptr;
    napi_value values[3] = {buffer_.open(&buffer), words_.open(&words)};
    if (buffer == nullptr || words == nullptr) return EFAULT;
    UdpBatch batch = receiveUdp(socket_, buffer, words);
    if (batch.count > 0) {
      values[2] = number(env(), batch.count);
      call(callbacks_.onBatch, 3, values);
    }
    return batch.error;
  }

  void letGo() override {
    callbacks_ = {};
    buffer_.clear();
    words_.clear();
    socket_.close();
  }

  UdpSocket socket_;
  bool running_ = false;
  int watched_ = UV_READABLE;  // while there is nothing to be sent
  Callbacks callbacks_;
  ReusedArray<uint8_t> buffer_;
  ReusedArray<uint32_t> words_;
};

const napi_type_tag Udp::kTag = {0x5765667455647031, 0x4d1f60b8c37ae925};

// {handle, fd, family, address bytes, port, segments, joins}
// `segments`: several datagrams may be sent by one call; `joins`: several may come as one message.
napi_value opened(napi_env env, UdpSocket socket) {
  const bool segments = socket.knowsSegments() && tryUdpSegments() != SegmentsSeen::kFail;
  // Where a run cannot be sent, whether one is received rightly cannot be tried.
  const bool joins = (!segments || tryUdpJoins() != SegmentsSeen::kFail) && socket.joinReceived();
  auto* udp = new Udp(env, std::move(socket));
  napi_value handle = makeHandle(env, udp);
  if (handle == nullptr) return nullptr;
  const SocketAddress at = udp->socket().boundTo();
  napi_value out = nullptr;
  napi_create_object(env, &out);
  setProperty(env, out, "handle", handle);
  setProperty(env, out, "fd", number(env, udp->socket().fd()));
  setProperty(env, out, "family", number(env, at.family() == AF_INET ? 4 : 6));
  setProperty(env, out, "address",
              at.family() == AF_INET ? bytesValue(env, &at.v4.sin_addr, 4) : bytesValue(env, &at.v6.sin6_addr, 16));
  setProperty(env, out, "port", number(env, at.port()));
  setProperty(env, out, "segments", boolean(env, segments));
  setProperty(env, out, "joins", boolean(env, joins));
  return out;
}

// udpOpen(family 4|6, address bytes, port) → see opened
napi_value udpOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t family = 0;
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  int64_t port = 0;
  if (!arguments.integer(0, 4, 6, &family) || !arguments.bytes(1, &bytes, &length) ||
      !arguments.integer(2, 0, 65535, &port)) {
    return nullptr;
  }
  SocketAddress at(family == 4 ? AF_INET : AF_INET6, bytes, length, static_cast<uint16_t>(port));
  if (!at.valid()) return throwSystemError(env, EINVAL, "bind");
  UdpSocket socket;
  if (Failure failure = UdpSocket::open(at, &socket)) return throwSystemError(env, failure);
  return opened(env, std::move(socket));
}

// udpAdopt(fd of another process's socket) → see opened; `fd` stays open
napi_value udpAdopt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  UdpSocket socket;
  if (Failure failure = UdpSocket::adopt(static_cast<int>(fd), &socket)) return throwSystemError(env, failure);
  return opened(env, std::move(socket));
}

// udpStart(handle, onBatch(buffer, words, count), onWritable(), onError(errno), reading 0|1)
napi_value udpStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  if (udp == nullptr) return nullptr;
  if (udp->started()) return throwSystemError(env, EALREADY, "start");
  Udp::Callbacks callbacks;
  Reference self;
  int64_t reading = 0;
  if (!arguments.function(1, &callbacks.onBatch) || !arguments.function(2, &callbacks.onWritable) ||
      !arguments.function(3, &callbacks.onError) || !arguments.integer(4, 0, 1, &reading) ||
      !self.set(env, arguments.raw(0))) {
    return nullptr;
  }
  int failed = udp->start(std::move(self), std::move(callbacks), reading == 1);
  return failed != 0 ? throwSystemError(env, failed, "start") : undefined(env);
}

// udpSend(handle, address bytes, port, data, length, segment, tos) → bytes sent or −errno. Sends data[0, length).
napi_value udpSend(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  const uint8_t* address = nullptr;
  size_t addressLength = 0;
  int64_t port = 0;
  const uint8_t* data = nullptr;
  size_t available = 0;
  int64_t length = 0;
  int64_t segment = 0;
  int64_t tos = 0;
  if (udp == nullptr || !arguments.bytes(1, &address, &addressLength) || !arguments.integer(2, 1, 65535, &port) ||
      !arguments.bytes(3, &data, &available) ||
      !arguments.integer(4, 0, static_cast<int64_t>(available), &length) ||
      !arguments.integer(5, 0, 65535, &segment) || !arguments.integer(6, 0, 255, &tos)) {
    return nullptr;
  }
  const UdpSocket& socket = udp->socket();
  if (!socket.valid()) return number(env, -EBADF);
  SocketAddress to(socket.family(), address, addressLength, static_cast<uint16_t>(port));
  if (!to.valid()) return number(env, -EAFNOSUPPORT);
  ssize_t sent = sendUdp(socket, to, data, static_cast<size_t>(length), static_cast<uint16_t>(segment),
                         static_cast<uint8_t>(tos));
  return number(env, static_cast<double>(sent));
}

// udpAwaitWritable(handle)
napi_value udpAwaitWritable(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  if (udp == nullptr) return nullptr;
  udp->awaitWritable();
  return undefined(env);
}

// udpClose(handle)
napi_value udpClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Udp* udp = readHandle<Udp>(env, arguments.raw(0));
  if (udp == nullptr) return nullptr;
  udp->close();
  return undefined(env);
}

}  // namespace

const UdpSocket* udpOf(napi_env env, napi_value handle) {
  Udp* udp = readHandle<Udp>(env, handle);
  return udp == nullptr ? nullptr : &udp->socket();
}

void bindUdp(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"udpOpen", udpOpen},
                              {"udpAdopt", udpAdopt},
                              {"udpStart", udpStart},
                              {"udpSend", udpSend},
                              {"udpAwaitWritable", udpAwaitWritable},
                              {"udpClose", udpClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

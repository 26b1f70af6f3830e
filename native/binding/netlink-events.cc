// Binds netlink sockets that are members of multicast groups: what the kernel tells comes in batches on the event loop.
#include <cerrno>
#include <utility>

#include "binding/arguments.h"
#include "binding/event-source.h"
#include "binding/frame-arrays.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"
#include "netlink/netlink-event-reader.h"
#include "netlink/netlink-socket.h"

namespace weft {
namespace {

class NetlinkEvents final : public DescriptorSource {
 public:
  static const napi_type_tag kTag;

  struct Callbacks {
    Reference onBatch;
    Reference onLost;
    Reference onError;
  };

  NetlinkEvents(napi_env env, NetlinkSocket socket) : DescriptorSource(env), socket_(std::move(socket)) {}

  NetlinkSocket& socket() { return socket_; }

  // Reads nothing from now on: what comes waits in the kernel.
  void rest() {
    if (started() && !isClosed()) stop();
  }
  // Reads again.
  void goOn() {
    if (started() && !isClosed()) watch(UV_READABLE);
  }

  // Creates the batch buffers and begins to read. 0 or an errno.
  int start(Reference self, Callbacks callbacks) {
    if (!arrays_.create(env())) return ENOMEM;
    callbacks_ = std::move(callbacks);
    return begin(socket_.fd(), "weft:netlink-events", std::move(self));
  }

 private:
  ~NetlinkEvents() override = default;

  // Reads a batch and hands it over. Each callback may close us.
  void ready(int, int error) override {
    // ENOBUFS shows as an error of the descriptor. Reading tells which error it is.
    if (error != 0) resume();
    FrameBatch batch;
    if (!arrays_.open(&batch)) return fail(EFAULT);
    NetlinkEventReader::Outcome outcome = reader_.read(&socket_, &batch);
    if (batch.count > 0) call(callbacks_.onBatch, arrays_.kArguments, arrays_.arguments(env(), batch));
    if (outcome.lost && !isClosed()) call(callbacks_.onLost, 0, nullptr);
    if (outcome.error != 0 && !isClosed()) fail(outcome.error);
  }

  void fail(int error) {
    stop();
    napi_value value = systemError(env(), error, "recvmsg");
    call(callbacks_.onError, 1, &value);
  }

  void letGo() override {
    callbacks_ = {};
    arrays_.clear();
    socket_.close();
  }

  NetlinkSocket socket_;
  NetlinkEventReader reader_;
  Callbacks callbacks_;
  FrameArrays<NetlinkEventReader> arrays_;
};

const napi_type_tag NetlinkEvents::kTag = {0x576566744e6c4531, 0x93b0d54c1ea2786f};

// netlinkEventsOpen(protocol, receiveBufferBytes) → handle of a socket in the process's own network namespace
napi_value netlinkEventsOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t protocol = 0;
  int64_t receiveBufferBytes = 0;
  if (!arguments.integer(0, 0, 31, &protocol) || !arguments.integer(1, 1, INT32_MAX / 2, &receiveBufferBytes)) {
    return nullptr;
  }
  NetlinkSocket socket;
  if (Failure failure = NetlinkSocket::open(static_cast<int>(protocol), &socket)) {
    return throwSystemError(env, failure);
  }
  socket.setReceiveBuffer(static_cast<int>(receiveBufferBytes));
  return makeHandle(env, new NetlinkEvents(env, std::move(socket)));
}

// netlinkEventsJoin(handle, group)
napi_value netlinkEventsJoin(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  int64_t group = 0;
  if (events == nullptr || !arguments.integer(1, 1, INT32_MAX, &group)) return nullptr;
  if (Failure failure = events->socket().join(static_cast<uint32_t>(group))) return throwSystemError(env, failure);
  return undefined(env);
}

// netlinkEventsStart(handle, onBatch(buffer, offsets, lengths, count), onLost(), onError(error))
napi_value netlinkEventsStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  if (events == nullptr) return nullptr;
  if (events->started()) return throwSystemError(env, EALREADY, "start");
  NetlinkEvents::Callbacks callbacks;
  Reference self;
  if (!arguments.function(1, &callbacks.onBatch) || !arguments.function(2, &callbacks.onLost) ||
      !arguments.function(3, &callbacks.onError) || !self.set(env, arguments.raw(0))) {
    return nullptr;
  }
  int failed = events->start(std::move(self), std::move(callbacks));
  return failed != 0 ? throwSystemError(env, failed, "start") : undefined(env);
}

// netlinkEventsSend(handle, bytes) → bytes sent or −errno
napi_value netlinkEventsSend(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  const uint8_t* data = nullptr;
  size_t length = 0;
  if (events == nullptr || !arguments.bytes(1, &data, &length)) return nullptr;
  if (!events->socket().valid()) return number(env, -EBADF);
  return number(env, static_cast<double>(events->socket().send(data, length)));
}

// netlinkEventsRest(handle)
napi_value netlinkEventsRest(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  if (events == nullptr) return nullptr;
  events->rest();
  return undefined(env);
}

// netlinkEventsGoOn(handle)
napi_value netlinkEventsGoOn(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  if (events == nullptr) return nullptr;
  events->goOn();
  return undefined(env);
}

// netlinkEventsClose(handle)
napi_value netlinkEventsClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  if (events == nullptr) return nullptr;
  events->close();
  return undefined(env);
}

}  // namespace

void bindNetlinkEvents(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"netlinkEventsOpen", netlinkEventsOpen},
                              {"netlinkEventsJoin", netlinkEventsJoin},
                              {"netlinkEventsStart", netlinkEventsStart},
                              {"netlinkEventsSend", netlinkEventsSend},
                              {"netlinkEventsRest", netlinkEventsRest},
                              {"netlinkEventsGoOn", netlinkEventsGoOn},
                              {"netlinkEventsClose", netlinkEventsClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

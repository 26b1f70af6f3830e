// Binds netlink sockets that are members of multicast groups: what the kernel tells comes in batches on the event loop.
#include <cerrno>
#include <utility>

#include "binding/reference.h"
#include "binding/reused-array.h"
#include "device/netlink-event-reader.h"
#include "loop/poll.h"
#include "support.h"

namespace weft {
namespace {

class NetlinkEvents final : public Source, private Poll::Listener {
 public:
  static const napi_type_tag kTag;

  struct Callbacks {
    Reference self;  // keeps the external alive while we listen
    Reference onBatch;
    Reference onLost;
    Reference onError;
  };

  NetlinkEvents(napi_env env, NetlinkSocket socket) : Source(env), socket_(std::move(socket)) {}

  NetlinkSocket& socket() { return socket_; }
  bool started() const { return poll_.opened() || closed_; }

  // Creates the batch buffers and begins to read. 0 or an errno.
  int start(Callbacks callbacks) {
    if (!buffer_.create(env(), NetlinkEventReader::kBufferBytes) ||
        !offsets_.create(env(), NetlinkEventReader::kBatchDatagrams) ||
        !lengths_.create(env(), NetlinkEventReader::kBatchDatagrams)) {
      return ENOMEM;
    }
    int failed = poll_.open(eventLoop(env()), socket_.fd(), this);
    if (failed != 0) return failed;
    callbacks_ = std::move(callbacks);
    hold();
    opened("weft:netlink-events");
    poll_.watch(UV_READABLE);
    return 0;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    if (poll_.opened()) poll_.close();
    callbacks_ = {};
    buffer_.clear();
    offsets_.clear();
    lengths_.clear();
    socket_.close();
  }

 private:
  ~NetlinkEvents() override = default;

  void onPollClosed() override {
    closed();
    release();
  }

  void onReady(int, int error) override {
    Scope scope(env());
    hold();
    // ENOBUFS shows as an error of the descriptor, for which libuv stops watching. Reading tells which error it is.
    if (error != 0) poll_.watch(UV_READABLE);
    deliver();
    release();
  }

  // Reads a batch and hands it over. Each callback may close us.
  void deliver() {
    napi_value values[4] = {};
    uint8_t* buffer = nullptr;
    int32_t* offsets = nullptr;
    int32_t* lengths = nullptr;
    values[0] = buffer_.open(&buffer);
    values[1] = offsets_.open(&offsets);
    values[2] = lengths_.open(&lengths);
    if (buffer == nullptr || offsets == nullptr || lengths == nullptr) return fail(EFAULT);
    NetlinkEventReader::Batch batch = reader_.read(&socket_, buffer, offsets, lengths);
    if (batch.count > 0) {
      values[3] = number(env(), static_cast<double>(batch.count));
      call(callbacks_.onBatch.raw(), 4, values);
    }
    if (batch.lost && !closed_) call(callbacks_.onLost.raw(), 0, nullptr);
    if (batch.error != 0 && !closed_) fail(batch.error);
  }

  void fail(int error) {
    poll_.stop();
    napi_value value = systemError(env(), error, "recvmsg");
    call(callbacks_.onError.raw(), 1, &value);
  }

  NetlinkSocket socket_;
  NetlinkEventReader reader_;
  Poll poll_;
  bool closed_ = false;
  Callbacks callbacks_;
  ReusedArray<uint8_t> buffer_;
  ReusedArray<int32_t> offsets_;
  ReusedArray<int32_t> lengths_;
};

const napi_type_tag NetlinkEvents::kTag = {0x576566744e6c4531, 0x93b0d54c1ea2786f};

// netlinkEventsOpen(protocol, receiveBufferBytes) → handle of a socket in the process's own network namespace
napi_value netlinkEventsOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t protocol = 0;
  int64_t receiveBufferBytes = 0;
  if (!arguments.integer(0, 0, 31, &protocol) ||
      !arguments.integer(1, 1, INT32_MAX / 2, &receiveBufferBytes)) {
    return nullptr;
  }
  NetlinkSocket socket;
  if (Failure failure = NetlinkSocket::open(static_cast<int>(protocol), &socket)) {
    return throwSystemError(env, failure.error, failure.call);
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
  if (Failure failure = events->socket().join(static_cast<uint32_t>(group))) {
    return throwSystemError(env, failure.error, failure.call);
  }
  return undefined(env);
}

// netlinkEventsStart(handle, onBatch(buffer, offsets, lengths, count), onLost(), onError(error))
napi_value netlinkEventsStart(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  NetlinkEvents* events = readHandle<NetlinkEvents>(env, arguments.raw(0));
  if (events == nullptr) return nullptr;
  if (events->started()) return throwSystemError(env, EALREADY, "start");
  NetlinkEvents::Callbacks callbacks;
  if (!arguments.function(1, &callbacks.onBatch) || !arguments.function(2, &callbacks.onLost) ||
      !arguments.function(3, &callbacks.onError) || !callbacks.self.set(env, arguments.raw(0))) {
    return nullptr;
  }
  int failed = events->start(std::move(callbacks));
  if (failed != 0) return throwSystemError(env, failed, "start");
  return undefined(env);
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
                              {"netlinkEventsClose", netlinkEventsClose}};
  bindAll(env, exports, bindings, sizeof bindings / sizeof bindings[0]);
}

}  // namespace weft

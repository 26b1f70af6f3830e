// Binds netlink sockets for requests: opened here, or, of routing, adopted from another process that opened them in its
// own namespace. A transaction runs in libuv's thread pool.
#include <linux/netlink.h>

#include <cerrno>
#include <utility>

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"
#include "netlink/netlink-socket.h"
#include "netlink/netlink-transaction.h"

namespace weft {
namespace {

constexpr int kReceiveBufferBytes = 1024 * 1024;

class RequestSocket final : public Held {
 public:
  static const napi_type_tag kTag;

  explicit RequestSocket(NetlinkSocket socket) : socket_(std::move(socket)) {
    socket_.setReceiveBuffer(kReceiveBufferBytes);
  }

  NetlinkSocket* socket() { return &socket_; }
  bool busy() const { return busy_; }
  bool closed() const { return closed_; }
  void begin() {
    busy_ = true;
    hold();
  }
  void end() {
    busy_ = false;
    if (closed_) socket_.close();
    release();
  }
  // At once, or when the transaction under way ends.
  void close() {
    closed_ = true;
    if (!busy_) socket_.close();
  }
  void collected() { close(); }

 private:
  ~RequestSocket() override = default;

  NetlinkSocket socket_;
  bool busy_ = false;
  bool closed_ = false;
};

const napi_type_tag RequestSocket::kTag = {0x576566744e6c6b31, 0x1f0ad7c25c7e4b11};

// A transaction on its way through the thread pool.
struct Work {
  napi_async_work work;
  napi_deferred deferred;
  RequestSocket* socket;
  NetlinkTransaction transaction;
  Failure failure;
};

void execute(napi_env, void* data) {
  auto* work = static_cast<Work*>(data);
  work->failure = work->transaction.run();
}

void complete(napi_env env, napi_status status, void* data) {
  auto* work = static_cast<Work*>(data);
  if (status != napi_ok) work->failure = {ECANCELED, "netlink transaction"};
  napi_value value = nullptr;
  if (!work->failure) {
    const std::vector<uint8_t>& reply = work->transaction.reply();
    value = bytesValue(env, reply.data(), reply.size());
    if (value == nullptr) work->failure = {ENOMEM, "netlink receive"};
  }
  if (value != nullptr) {
    napi_resolve_deferred(env, work->deferred, value);
  } else {
    napi_reject_deferred(env, work->deferred, systemError(env, work->failure.error, work->failure.call));
  }
  work->socket->end();
  napi_delete_async_work(env, work->work);
  delete work;
}

// netlinkOpen(protocol) → handle of a socket in the process's own network namespace
napi_value netlinkOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t protocol = 0;
  if (!arguments.integer(0, 0, 31, &protocol)) return nullptr;
  NetlinkSocket socket;
  if (Failure failure = NetlinkSocket::open(static_cast<int>(protocol), &socket)) {
    return throwSystemError(env, failure);
  }
  return makeHandle(env, new RequestSocket(std::move(socket)));
}

// netlinkAdopt(fd) → handle of a duplicate of `fd`, which must be a routing netlink socket
napi_value netlinkAdopt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  NetlinkSocket socket;
  if (Failure failure = NetlinkSocket::adopt(static_cast<int>(fd), NETLINK_ROUTE, &socket)) {
    return throwSystemError(env, failure);
  }
  return makeHandle(env, new RequestSocket(std::move(socket)));
}

// netlinkJoin(fd, group): `fd`, a routing netlink socket, hears of a group from now on, whoever holds it
napi_value netlinkJoin(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  int64_t group = 0;
  if (!arguments.integer(0, 0, INT32_MAX, &fd) || !arguments.integer(1, 1, INT32_MAX, &group)) return nullptr;
  NetlinkSocket socket;
  Failure failure = NetlinkSocket::adopt(static_cast<int>(fd), NETLINK_ROUTE, &socket);
  if (!failure) failure = socket.takePort();
  if (!failure) failure = socket.join(static_cast<uint32_t>(group));
  return failure ? throwSystemError(env, failure) : undefined(env);
}

// netlinkNumber(handle) → the descriptor, −1 once it is closed
napi_value netlinkNumber(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  RequestSocket* socket = readHandle<RequestSocket>(env, arguments.raw(0));
  return socket == nullptr ? nullptr : number(env, socket->socket()->fd());
}

// netlinkPort(handle) → the port by which the kernel knows the socket, 0 once it is closed
napi_value netlinkPort(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  RequestSocket* socket = readHandle<RequestSocket>(env, arguments.raw(0));
  return socket == nullptr ? nullptr : number(env, socket->socket()->port());
}

// netlinkTransact(handle, request, firstSequence, count, timeoutMs) → Promise<Uint8Array>
napi_value netlinkTransact(napi_env env, napi_callback_info info) {
  constexpr const char* kCall = "netlink transaction";
  Arguments arguments(env, info);
  RequestSocket* socket = readHandle<RequestSocket>(env, arguments.raw(0));
  const uint8_t* data = nullptr;
  size_t length = 0;
  int64_t sequence = 0;
  int64_t count = 0;
  int64_t timeoutMs = 0;
  if (socket == nullptr || !arguments.bytes(1, &data, &length) ||
      !arguments.integer(2, 0, UINT32_MAX, &sequence) ||
      !arguments.integer(3, 1, NetlinkTransaction::kMaxMessages, &count) ||
      !arguments.integer(4, 1, NetlinkTransaction::kMaxTimeoutMs, &timeoutMs)) {
    return nullptr;
  }
  if (socket->closed()) return throwSystemError(env, EBADF, kCall);
  if (socket->busy()) return throwSystemError(env, EBUSY, kCall);
  if (length < sizeof(nlmsghdr) || length > NetlinkTransaction::kMaxRequest) {
    return throwSystemError(env, EMSGSIZE, kCall);
  }
  auto* work = new Work{nullptr,
                        nullptr,
                        socket,
                        NetlinkTransaction(socket->socket(), data, length, static_cast<uint32_t>(sequence),
                                           static_cast<uint32_t>(count), timeoutMs),
                        {}};
  napi_value name = text(env, "weft:netlink");
  if (napi_create_async_work(env, nullptr, name, execute, complete, work, &work->work) != napi_ok) {
    delete work;
    return throwSystemError(env, ENOMEM, kCall);
  }
  napi_value promise = nullptr;
  napi_create_promise(env, &work->deferred, &promise);
  socket->begin();
  napi_queue_async_work(env, work->work);
  return promise;
}

// netlinkClose(handle): at once, or when the transaction under way ends
napi_value netlinkClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  RequestSocket* socket = readHandle<RequestSocket>(env, arguments.raw(0));
  if (socket == nullptr) return nullptr;
  socket->close();
  return undefined(env);
}

}  // namespace

void bindNetlinkRequests(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"netlinkOpen", netlinkOpen},
                              {"netlinkAdopt", netlinkAdopt},
                              {"netlinkJoin", netlinkJoin},
                              {"netlinkNumber", netlinkNumber},
                              {"netlinkPort", netlinkPort},
                              {"netlinkTransact", netlinkTransact},
                              {"netlinkClose", netlinkClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

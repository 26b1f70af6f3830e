// Binds the server of the local socket.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "binding/arguments.h"
#include "binding/event-source.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/system-error.h"
#include "binding/values.h"
#include "device/local-client.h"
#include "loop/local-connection.h"
#include "loop/local-server.h"

namespace weft {
namespace {

constexpr int64_t kMaxTimeoutMs = 3600 * 1000;
constexpr int64_t kMaxId = INT64_C(1) << 53;

class LocalSocket final : public EventSource, private LocalServer::Listener {
 public:
  static const napi_type_tag kTag;

  LocalSocket(napi_env env, LocalListener socket, LocalServer::Limits limits)
      : EventSource(env), server_(eventLoop(env), std::move(socket), limits, this) {}

  LocalServer& server() { return server_; }

  // Begins to accept; `self` (the handle) is kept alive until close(). 0 or an errno.
  int start(Reference self, Reference onRequest, Reference onGone) {
    int failed = server_.start();
    if (failed != 0) return failed;
    self_ = std::move(self);
    onRequest_ = std::move(onRequest);
    onGone_ = std::move(onGone);
    hold();
    opened("weft:local-socket");
    return 0;
  }

  void close() override {
    server_.close();
    self_.clear();
    onRequest_.clear();
    onGone_.clear();
  }

 private:
  ~LocalSocket() override = default;

  void onRequest(uint64_t id, const ucred& peer, const std::vector<Descriptor>& received, const uint8_t* data,
                 size_t length) override {
    Scope scope(env());
    napi_value values[6] = {number(env(), static_cast<double>(id)), number(env(), peer.pid),
                            number(env(), peer.uid), number(env(), peer.gid)};
    napi_create_array(env(), &values[4]);
    for (uint32_t i = 0; i < received.size(); i++) {
      napi_set_element(env(), values[4], i, number(env(), received[i].get()));
    }
    values[5] = bytesValue(env(), data, length);
    if (values[5] != nullptr) call(onRequest_, 6, values);
  }

  void onClientGone(uint64_t id) override {
    Scope scope(env());
    napi_value value = number(env(), static_cast<double>(id));
    call(onGone_, 1, &value);
  }

  void onServerClosed() override {
    closed();
    release();
  }

  LocalServer server_;
  Reference self_;
  Reference onRequest_;
  Reference onGone_;
};

const napi_type_tag LocalSocket::kTag = {0x576566744c736b31, 0x6d1c09f3e2a84c77};

// socketListen(path, backlog, connections, requestMs, answerMs, onRequest(id, pid, uid, gid, fds, bytes), onGone(id)) → handle
napi_value socketListen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  char path[sizeof(sockaddr_un::sun_path)];
  int64_t backlog = 0;
  int64_t connections = 0;
  int64_t requestMs = 0;
  int64_t answerMs = 0;
  Reference onRequest;
  Reference onGone;
  if (!arguments.text(0, path, sizeof path) || !arguments.integer(1, 1, 4096, &backlog) ||
      !arguments.integer(2, 1, 4096, &connections) || !arguments.integer(3, 1, kMaxTimeoutMs, &requestMs) ||
      !arguments.integer(4, 1, kMaxTimeoutMs, &answerMs) || !arguments.function(5, &onRequest) ||
      !arguments.function(6, &onGone)) {
    return nullptr;
  }
  LocalListener listener;
  if (Failure failure = LocalListener::open(path, static_cast<int>(backlog), &listener)) {
    return throwSystemError(env, failure);
  }
  LocalServer::Limits limits = {static_cast<size_t>(connections), static_cast<uint64_t>(requestMs),
                                static_cast<uint64_t>(answerMs)};
  auto* socket = new LocalSocket(env, std::move(listener), limits);
  napi_value handle = makeHandle(env, socket);
  Reference self;
  if (handle == nullptr || !self.set(env, handle)) return nullptr;
  int failed = socket->start(std::move(self), std::move(onRequest), std::move(onGone));
  return failed != 0 ? throwSystemError(env, failed, "poll") : handle;
}

// socketAnswer(handle, id, bytes) → true, or false where the client is gone or was answered already
napi_value socketAnswer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  LocalSocket* socket = readHandle<LocalSocket>(env, arguments.raw(0));
  int64_t id = 0;
  const uint8_t* data = nullptr;
  size_t length = 0;
  if (socket == nullptr || !arguments.integer(1, 0, kMaxId, &id) || !arguments.bytes(2, &data, &length)) {
    return nullptr;
  }
  if (length > LocalConnection::kMaxAnswer) return throwSystemError(env, EMSGSIZE, "answer");
  return boolean(env, socket->server().answer(static_cast<uint64_t>(id), data, length));
}

// socketSend(path, bytes, fds: Int32 numbers as bytes) → 0, or −errno: to who listens there, without an answer
napi_value socketSend(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  char path[sizeof(sockaddr_un::sun_path)];
  const uint8_t* data = nullptr;
  size_t length = 0;
  const uint8_t* numbers = nullptr;
  size_t numbersLength = 0;
  if (!arguments.text(0, path, sizeof path) || !arguments.bytes(1, &data, &length) ||
      !arguments.bytes(2, &numbers, &numbersLength)) {
    return nullptr;
  }
  int fds[LocalConnection::kMaxDescriptors] = {};
  if (length > LocalConnection::kMaxRequest || numbersLength > sizeof fds) return number(env, -EMSGSIZE);
  if (numbersLength > 0) std::memcpy(fds, numbers, numbersLength);
  return number(env, -sendLocal(path, data, length, {fds, numbersLength / sizeof(int)}).error);
}

// socketPair() → [fd, fd]: two ends of a stream between processes, each to be closed by who gets it
napi_value socketPair(napi_env env, napi_callback_info) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return throwSystemError(env, errno, "socketpair");
  }
  napi_value out = nullptr;
  napi_create_array(env, &out);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, out, i, number(env, ends[i]));
  return out;
}

// descriptorDuplicate(fd) → another number of the same, to be closed by who asked
napi_value descriptorDuplicate(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  const int own = ::fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 3);
  return own < 0 ? throwSystemError(env, errno, "fcntl") : number(env, own);
}

// socketDrop(handle, id): closes a connection without an answer
napi_value socketDrop(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  LocalSocket* socket = readHandle<LocalSocket>(env, arguments.raw(0));
  int64_t id = 0;
  if (socket == nullptr || !arguments.integer(1, 0, kMaxId, &id)) return nullptr;
  socket->server().drop(static_cast<uint64_t>(id));
  return undefined(env);
}

// socketUnheard(handle) → number of clients whose request is still to come
napi_value socketUnheard(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  LocalSocket* socket = readHandle<LocalSocket>(env, arguments.raw(0));
  return socket == nullptr ? nullptr : number(env, socket->server().unheard());
}

// socketClose(handle)
napi_value socketClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  LocalSocket* socket = readHandle<LocalSocket>(env, arguments.raw(0));
  if (socket == nullptr) return nullptr;
  socket->close();
  return undefined(env);
}

}  // namespace

void bindLocalSocket(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"socketListen", socketListen},
                              {"socketAnswer", socketAnswer},
                              {"socketSend", socketSend},
                              {"socketPair", socketPair},
                              {"descriptorDuplicate", descriptorDuplicate},
                              {"socketDrop", socketDrop},
                              {"socketUnheard", socketUnheard},
                              {"socketClose", socketClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

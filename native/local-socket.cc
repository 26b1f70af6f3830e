// A unix stream server for requests that carry file descriptors, which Node's own sockets cannot receive.
//
// One request and one answer a connection, framed alike:
//
//   0                 4
//   | length (u32 LE) | length bytes …          descriptors ride on the first byte (SCM_RIGHTS, at most 4)
//
// A connection costs nothing until it is complete: bounded number, bounded size, bounded time. Only root and the
// user we run as may speak at all (SO_PEERCRED); everybody else is closed before a byte is read.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "support.h"

namespace weft {
namespace {

constexpr size_t kPrefix = 4;
constexpr size_t kMaxRequest = 1024 * 1024;
constexpr size_t kMaxAnswer = 16 * 1024 * 1024;
constexpr size_t kMaxDescriptors = 4;
constexpr size_t kReadChunk = 64 * 1024;
constexpr int64_t kMaxTimeoutMs = 3600 * 1000;

class Server;

uint32_t readLength(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8 | static_cast<uint32_t>(at[2]) << 16 |
         static_cast<uint32_t>(at[3]) << 24;
}

// One client: reading its request, waiting for the answer, writing it, gone.
class Connection {
 public:
  Connection(Server* server, double id, Descriptor descriptor, const ucred& peer)
      : server_(server), id_(id), descriptor_(static_cast<Descriptor&&>(descriptor)), peer_(peer) {}

  bool open();
  void answer(const uint8_t* data, size_t length);
  void finish();
  bool waiting() const { return state_ == State::kWaiting; }
  bool reading() const { return state_ == State::kReading; }
  bool expired(uint64_t now) const { return now >= deadline_; }

 private:
  enum class State { kReading, kWaiting, kWriting, kGone };

  void ready(int status, int events);
  void read();
  void write();
  // Takes the descriptors out of a received message. False when the sender broke the rules.
  bool takeDescriptors(msghdr* message);
  void complete();

  Server* server_;
  double id_;
  Descriptor descriptor_;
  ucred peer_;
  uv_poll_t poll_ = {};
  State state_ = State::kReading;
  uint64_t deadline_ = 0;
  std::vector<uint8_t> bytes_;  // the request with its prefix, then the answer with its prefix
  size_t written_ = 0;
  std::vector<Descriptor> received_;
};

class Server final : public Source {
 public:
  static const napi_type_tag kTag;

  struct Limits {
    size_t connections;
    uint64_t requestMs;
    uint64_t answerMs;
  };

  Server(napi_env env, Descriptor listener, const char* path, struct stat made, Limits limits)
      : Source(env),
        limits_(limits),
        listener_(static_cast<Descriptor&&>(listener)),
        path_(path, path + std::strlen(path) + 1),
        made_(made) {}

  int start(napi_ref self, napi_ref onRequest) {
    poll_.data = this;
    timer_.data = this;
    int failed = uv_poll_init(eventLoop(env()), &poll_, listener_.get());
    if (failed != 0) return -failed;
    hold();
    uv_timer_init(eventLoop(env()), &timer_);
    hold();
    self_ = self;
    onRequest_ = onRequest;
    handles_ = 2;
    started_ = true;
    opened("weft:local-socket");
    listen();
    return 0;
  }

  Connection* find(double id) {
    auto found = connectionById_.find(static_cast<uint64_t>(id));
    return found == connectionById_.end() ? nullptr : found->second;
  }

  // Clients who connected and whose request is not complete yet; all those in the backlog count as one.
  int unheard() const {
    pollfd backlog = {listener_.get(), POLLIN, 0};
    int count = !closing_ && ::poll(&backlog, 1, 0) > 0 ? 1 : 0;
    for (const auto& entry : connectionById_) count += entry.second->reading() ? 1 : 0;
    return count;
  }

  const Limits& limits() const { return limits_; }
  uint64_t now() const { return uv_now(eventLoop(env())); }

  void forget(double id) {
    connectionById_.erase(static_cast<uint64_t>(id));
    if (closing_) return;
    if (!listening_) listen();
    if (connectionById_.empty()) uv_timer_stop(&timer_);
  }

  // The one way into JavaScript. The descriptors are the caller's again when it returns.
  void request(double id, const ucred& peer, const std::vector<Descriptor>& received, const uint8_t* data,
               size_t length) {
    napi_value values[6] = {number(env(), id), number(env(), peer.pid), number(env(), peer.uid),
                            number(env(), peer.gid)};
    napi_create_array(env(), &values[4]);
    for (uint32_t i = 0; i < received.size(); i++) {
      napi_set_element(env(), values[4], i, number(env(), received[i].get()));
    }
    values[5] = bytesValue(env(), data, length);
    if (values[5] != nullptr) call(onRequest_, 6, values);
  }

  // Stops listening and drops every connection; removes the socket's name if it is still ours.
  void close() override {
    if (closing_) return;
    closing_ = true;
    struct stat now = {};
    if (::lstat(path_.data(), &now) == 0 && now.st_dev == made_.st_dev && now.st_ino == made_.st_ino) {
      ::unlink(path_.data());
    }
    std::vector<Connection*> open;
    for (const auto& entry : connectionById_) open.push_back(entry.second);
    for (Connection* connection : open) connection->finish();
    for (napi_ref* ref : {&self_, &onRequest_}) {
      if (*ref != nullptr) napi_delete_reference(env(), *ref);
      *ref = nullptr;
    }
    if (started_) {
      uv_close(reinterpret_cast<uv_handle_t*>(&poll_), &Server::ownHandleClosed);
      uv_close(reinterpret_cast<uv_handle_t*>(&timer_), &Server::ownHandleClosed);
    }
    listener_.reset();
  }

  // The libuv handle of the listener, the timer or a connection is gone.
  void handleClosed() {
    if (--handles_ == 0) closed();
    release();
  }

 private:
  ~Server() override = default;

  static void ownHandleClosed(uv_handle_t* handle) { static_cast<Server*>(handle->data)->handleClosed(); }

  void listen() {
    listening_ = true;
    uv_poll_start(&poll_, UV_READABLE,
                  [](uv_poll_t* handle, int, int) { static_cast<Server*>(handle->data)->accept(); });
  }

  // Sweeps from now on until there is nothing to look after. Deadlines need no precision, so one coarse timer serves
  // all; it does not keep the process alive.
  void watchDeadlines() {
    if (uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) != 0) return;
    uv_timer_start(
        &timer_, [](uv_timer_t* handle) { static_cast<Server*>(handle->data)->sweep(); }, 100, 100);
    uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
  }

  // Leaves further clients in the backlog until a connection ends or the next sweep.
  void pause() {
    listening_ = false;
    uv_poll_stop(&poll_);
    watchDeadlines();
  }

  void accept() {
    for (int i = 0; i < 64; i++) {
      if (connectionById_.size() >= limits_.connections) return pause();
      Descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client.valid()) {
        if (errno == EAGAIN) return;
        if (errno == EINTR || errno == ECONNABORTED) continue;
        return pause();  // out of descriptors: without a pause this would spin
      }
      ucred peer = {};
      socklen_t length = sizeof peer;
      if (::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
          (peer.uid != 0 && peer.uid != ::geteuid())) {
        continue;
      }
      double id = static_cast<double>(++lastId_);
      auto* connection = new Connection(this, id, static_cast<Descriptor&&>(client), peer);
      if (!connection->open()) {
        delete connection;
        continue;
      }
      hold();
      handles_++;
      connectionById_.emplace(lastId_, connection);
      watchDeadlines();
    }
  }

  void sweep() {
    std::vector<Connection*> late;
    for (const auto& entry : connectionById_) {
      if (entry.second->expired(now())) late.push_back(entry.second);
    }
    for (Connection* connection : late) connection->finish();
    if (closing_) return;
    if (!listening_) listen();
    if (connectionById_.empty()) uv_timer_stop(&timer_);
  }

  Limits limits_;
  Descriptor listener_;
  std::vector<char> path_;
  struct stat made_;
  uv_poll_t poll_ = {};
  uv_timer_t timer_ = {};
  int handles_ = 0;  // libuv handles not yet closed
  bool started_ = false;
  bool listening_ = false;
  bool closing_ = false;
  uint64_t lastId_ = 0;
  std::unordered_map<uint64_t, Connection*> connectionById_;
  napi_ref self_ = nullptr;
  napi_ref onRequest_ = nullptr;
};

const napi_type_tag Server::kTag = {0x576566744c736b31, 0x6d1c09f3e2a84c77};

// -- a connection ---------------------------------------------------------------------------------------------

bool Connection::open() {
  poll_.data = this;
  deadline_ = server_->now() + server_->limits().requestMs;
  if (uv_poll_init(eventLoop(server_->env()), &poll_, descriptor_.get()) != 0) return false;
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* handle, int status, int events) {
    static_cast<Connection*>(handle->data)->ready(status, events);
  });
  return true;
}

void Connection::ready(int status, int events) {
  if (status < 0) return finish();
  if (state_ == State::kReading && (events & UV_READABLE) != 0) return read();
  if (state_ == State::kWriting && (events & UV_WRITABLE) != 0) write();
}

void Connection::read() {
  // Reads exactly to the end of the prefix, then exactly to the end of the request: memory grows with what was
  // really sent, never with what was announced.
  while (state_ == State::kReading) {
    size_t wanted = kPrefix;
    if (bytes_.size() >= kPrefix) {
      size_t length = readLength(bytes_.data());
      if (length == 0 || length > kMaxRequest) return finish();
      wanted = kPrefix + length;
      if (bytes_.size() == wanted) return complete();
    }
    uint8_t chunk[kReadChunk];
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    iovec part = {chunk, wanted - bytes_.size() < sizeof chunk ? wanted - bytes_.size() : sizeof chunk};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = ::recvmsg(descriptor_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return finish();
    if (!takeDescriptors(&message)) return finish();
    bytes_.insert(bytes_.end(), chunk, chunk + got);
  }
}

bool Connection::takeDescriptors(msghdr* message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      received_.emplace_back(fd);
    }
  }
  return (message->msg_flags & MSG_CTRUNC) == 0 && received_.size() <= kMaxDescriptors;
}

void Connection::complete() {
  Scope scope(server_->env());
  state_ = State::kWaiting;
  deadline_ = server_->now() + server_->limits().answerMs;
  uv_poll_stop(&poll_);
  std::vector<uint8_t> request;
  request.swap(bytes_);
  std::vector<Descriptor> received;
  received.swap(received_);
  // JavaScript may answer, or close the whole server, before this returns: `this` must not be touched after.
  server_->request(id_, peer_, received, request.data() + kPrefix, request.size() - kPrefix);
}

void Connection::answer(const uint8_t* data, size_t length) {
  state_ = State::kWriting;
  bytes_.resize(kPrefix + length);
  for (size_t i = 0; i < kPrefix; i++) bytes_[i] = static_cast<uint8_t>(length >> (8 * i));
  if (length > 0) std::memcpy(bytes_.data() + kPrefix, data, length);
  deadline_ = server_->now() + server_->limits().requestMs;
  write();
}

void Connection::write() {
  while (written_ < bytes_.size()) {
    ssize_t sent = ::send(descriptor_.get(), bytes_.data() + written_, bytes_.size() - written_,
                          MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      uv_poll_start(&poll_, UV_WRITABLE, [](uv_poll_t* handle, int status, int events) {
        static_cast<Connection*>(handle->data)->ready(status, events);
      });
      return;
    }
    if (sent < 0) break;
    written_ += static_cast<size_t>(sent);
  }
  finish();
}

void Connection::finish() {
  if (state_ == State::kGone) return;
  state_ = State::kGone;
  server_->forget(id_);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
    auto* connection = static_cast<Connection*>(handle->data);
    Server* server = connection->server_;
    delete connection;
    server->handleClosed();
  });
  descriptor_.reset();
  received_.clear();
}

// -- listening ------------------------------------------------------------------------------------------------

// Frees the name of a socket that nobody listens on any more. 0, or the errno why the name is not free.
int removeStale(const sockaddr_un& address) {
  struct stat found = {};
  if (::lstat(address.sun_path, &found) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(found.st_mode)) return ENOTSOCK;
  Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return errno;
  // Anything but a refusal (also EAGAIN: a full backlog) means that somebody is there.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return EADDRINUSE;
  if (errno != ECONNREFUSED) return EADDRINUSE;
  return ::unlink(address.sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

int openListener(const char* path, int backlog, Descriptor* out, struct stat* made, const char** syscall) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path) + 1);  // the caller made sure that it fits
  *syscall = "connect";
  int failed = removeStale(address);
  if (failed != 0) return failed;
  *syscall = "socket";
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return errno;
  // Linux gives the name the mode of the socket, so it never exists with a wider one.
  *syscall = "fchmod";
  if (::fchmod(listener.get(), 0600) != 0) return errno;
  *syscall = "bind";
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
  *syscall = "listen";
  if (::lstat(path, made) != 0 || ::listen(listener.get(), backlog) != 0) return errno;
  *out = static_cast<Descriptor&&>(listener);
  return 0;
}

// -- bindings -------------------------------------------------------------------------------------------------

// socketListen(path, backlog, connections, requestMs, answerMs, onRequest(id, pid, uid, gid, fds, bytes)) → handle
napi_value socketListen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  char path[sizeof(sockaddr_un::sun_path)];
  int64_t backlog = 0;
  int64_t connections = 0;
  int64_t requestMs = 0;
  int64_t answerMs = 0;
  napi_ref onRequest = nullptr;
  if (!arguments.text(0, path, sizeof path) || !arguments.integer(1, 1, 4096, &backlog) ||
      !arguments.integer(2, 1, 4096, &connections) || !arguments.integer(3, 1, kMaxTimeoutMs, &requestMs) ||
      !arguments.integer(4, 1, kMaxTimeoutMs, &answerMs) || !arguments.function(5, &onRequest)) {
    return nullptr;
  }
  Descriptor listener;
  struct stat made = {};
  const char* syscall = "";
  int failed = openListener(path, static_cast<int>(backlog), &listener, &made, &syscall);
  if (failed != 0) {
    napi_delete_reference(env, onRequest);
    return throwSystemError(env, failed, syscall);
  }
  Server::Limits limits = {static_cast<size_t>(connections), static_cast<uint64_t>(requestMs),
                           static_cast<uint64_t>(answerMs)};
  auto* server = new Server(env, static_cast<Descriptor&&>(listener), path, made, limits);
  napi_value handle = makeHandle(env, server);
  napi_ref self = nullptr;
  if (handle == nullptr || napi_create_reference(env, handle, 1, &self) != napi_ok) return nullptr;
  failed = server->start(self, onRequest);
  if (failed != 0) {
    napi_delete_reference(env, self);
    napi_delete_reference(env, onRequest);
    return throwSystemError(env, failed, "poll");
  }
  return handle;
}

// socketAnswer(handle, id, bytes) → true, or false where the client is gone or was answered already
napi_value socketAnswer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Server* server = readHandle<Server>(env, arguments.raw(0));
  int64_t id = 0;
  const uint8_t* data = nullptr;
  size_t length = 0;
  if (server == nullptr || !arguments.integer(1, 0, INT64_C(1) << 53, &id) || !arguments.bytes(2, &data, &length)) {
    return nullptr;
  }
  if (length > kMaxAnswer) return throwSystemError(env, EMSGSIZE, "answer");
  Connection* connection = server->find(static_cast<double>(id));
  if (connection == nullptr || !connection->waiting()) return boolean(env, false);
  connection->answer(data, length);
  return boolean(env, true);
}

// socketDrop(handle, id): closes a connection without an answer
napi_value socketDrop(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Server* server = readHandle<Server>(env, arguments.raw(0));
  int64_t id = 0;
  if (server == nullptr || !arguments.integer(1, 0, INT64_C(1) << 53, &id)) return nullptr;
  Connection* connection = server->find(static_cast<double>(id));
  if (connection != nullptr) connection->finish();
  return undefined(env);
}

// socketUnheard(handle) → number of clients whose request is still to come
napi_value socketUnheard(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Server* server = readHandle<Server>(env, arguments.raw(0));
  return server == nullptr ? nullptr : number(env, server->unheard());
}

// socketClose(handle)
napi_value socketClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Server* server = readHandle<Server>(env, arguments.raw(0));
  if (server == nullptr) return nullptr;
  server->close();
  return undefined(env);
}

}  // namespace

void bindLocalSocket(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"socketListen", socketListen},
                              {"socketAnswer", socketAnswer},
                              {"socketDrop", socketDrop},
                              {"socketUnheard", socketUnheard},
                              {"socketClose", socketClose}};
  bindAll(env, exports, bindings, sizeof bindings / sizeof bindings[0]);
}

}  // namespace weft

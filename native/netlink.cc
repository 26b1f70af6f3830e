// Routing netlink sockets: opened here, or adopted from another process that opened them in its own namespace.
//
// A transaction is one send of one or more messages with consecutive sequence numbers and the collection of every
// reply until each of them is finished (NLMSG_ERROR, which is also the acknowledgement, or NLMSG_DONE). It runs in
// libuv's thread pool, because the kernel holds the routing lock while it works and may make us wait for it.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "support.h"

namespace weft {
namespace {

constexpr size_t kMaxRequest = 256 * 1024;
constexpr size_t kMaxReply = 16 * 1024 * 1024;
constexpr int64_t kMaxMessages = 1024;
constexpr int64_t kMaxTimeoutMs = 60 * 1000;
// The kernel never builds a netlink packet of more than 32 KiB for a reader who offers this much.
constexpr size_t kReceiveBytes = 64 * 1024;
constexpr int kSocketBuffer = 1024 * 1024;

class RouteSocket final : public Held {
 public:
  static const napi_type_tag kTag;

  explicit RouteSocket(Descriptor descriptor) : descriptor_(static_cast<Descriptor&&>(descriptor)) {}

  int fd() const { return descriptor_.get(); }
  bool busy() const { return busy_; }
  bool closed() const { return closed_; }
  void begin() {
    busy_ = true;
    hold();
  }
  void end() {
    busy_ = false;
    if (closed_) descriptor_.reset();
    release();
  }
  void close() {
    closed_ = true;
    if (!busy_) descriptor_.reset();
  }
  void collected() { close(); }

 private:
  ~RouteSocket() override = default;

  Descriptor descriptor_;
  bool busy_ = false;
  bool closed_ = false;
};

const napi_type_tag RouteSocket::kTag = {0x576566744e6c6b31, 0x1f0ad7c25c7e4b11};

// -- the transaction, off the main thread ---------------------------------------------------------------------

struct Transaction {
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  RouteSocket* socket = nullptr;
  int fd = -1;
  uint32_t firstSequence = 0;
  uint32_t count = 0;
  int64_t deadlineMs = 0;
  std::vector<uint8_t> request;
  std::vector<uint8_t> reply;
  int error = 0;
  const char* syscall = "";
};

int64_t nowMs() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

// Waits for `events` until the deadline. 0 or an errno.
int waitFor(int fd, short events, int64_t deadlineMs) {
  for (;;) {
    int64_t left = deadlineMs - nowMs();
    if (left <= 0) return ETIMEDOUT;
    pollfd entry = {fd, events, 0};
    int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return 0;
    if (ready == 0) return ETIMEDOUT;
    if (errno != EINTR) return errno;
  }
}

// Throws away what an earlier, timed-out transaction left unread. Bounded: a socket that is a member of a busy
// multicast group (only one handed to us can be) may never run dry.
void discardOld(int fd) {
  uint8_t scratch[1];
  for (int i = 0; i < 4096; i++) {
    if (::recv(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != ENOBUFS) return;
  }
}

int sendAll(Transaction* transaction) {
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    ssize_t sent = ::sendto(transaction->fd, transaction->request.data(), transaction->request.size(),
                            MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
    if (sent >= 0) return 0;
    if (errno == EAGAIN) {
      int failed = waitFor(transaction->fd, POLLOUT, transaction->deadlineMs);
      if (failed != 0) return failed;
    } else if (errno != EINTR) {
      return errno;
    }
  }
}

// Keeps the messages of `packet` that answer us; adds to `finished` those that end an answer.
void keepAnswers(Transaction* transaction, const uint8_t* packet, size_t length, uint32_t* finished) {
  size_t at = 0;
  while (length - at >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, packet + at, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length - at) return;
    if (header.nlmsg_seq - transaction->firstSequence < transaction->count) {
      size_t padded = NLMSG_ALIGN(header.nlmsg_len);
      transaction->reply.insert(transaction->reply.end(), packet + at, packet + at + header.nlmsg_len);
      transaction->reply.resize(transaction->reply.size() + padded - header.nlmsg_len, 0);
      if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) (*finished)++;
    }
    if (NLMSG_ALIGN(header.nlmsg_len) > length - at) return;
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
}

int receiveAll(Transaction* transaction) {
  std::vector<uint8_t> packet(kReceiveBytes);
  uint32_t finished = 0;
  while (finished < transaction->count) {
    sockaddr_nl from = {};
    iovec part = {packet.data(), packet.size()};
    msghdr message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t got = ::recvmsg(transaction->fd, &message, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return errno;
      int failed = waitFor(transaction->fd, POLLIN, transaction->deadlineMs);
      if (failed != 0) return failed;
      continue;
    }
    if (got == 0) return EPIPE;
    if (nowMs() > transaction->deadlineMs) return ETIMEDOUT;
    if ((message.msg_flags & MSG_TRUNC) != 0) return EMSGSIZE;
    // Only the kernel answers: another process may send to our port.
    if (message.msg_namelen != sizeof from || from.nl_pid != 0) continue;
    if (transaction->reply.size() + static_cast<size_t>(got) > kMaxReply) return EMSGSIZE;
    keepAnswers(transaction, packet.data(), static_cast<size_t>(got), &finished);
  }
  return 0;
}

void execute(napi_env, void* data) {
  auto* transaction = static_cast<Transaction*>(data);
  discardOld(transaction->fd);
  transaction->syscall = "netlink send";
  transaction->error = sendAll(transaction);
  if (transaction->error != 0) return;
  transaction->syscall = "netlink receive";
  transaction->error = receiveAll(transaction);
}

void complete(napi_env env, napi_status status, void* data) {
  auto* transaction = static_cast<Transaction*>(data);
  if (status != napi_ok) {
    transaction->error = ECANCELED;
    transaction->syscall = "netlink transaction";
  }
  napi_value value = nullptr;
  if (transaction->error == 0) value = bytesValue(env, transaction->reply.data(), transaction->reply.size());
  if (value != nullptr) {
    napi_resolve_deferred(env, transaction->deferred, value);
  } else {
    int error = transaction->error == 0 ? ENOMEM : transaction->error;
    napi_reject_deferred(env, transaction->deferred, systemError(env, error, transaction->syscall));
  }
  transaction->socket->end();
  napi_delete_async_work(env, transaction->work);
  delete transaction;
}

// -- bindings -------------------------------------------------------------------------------------------------

// Errors in words (EXT_ACK) without an echo of the request (CAP_ACK), and dumps that honour their filters. Best
// effort: each only makes answers better, and kernels before 4.20 lack the last.
void setOptions(int fd) {
  int on = 1;
  for (int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    ::setsockopt(fd, SOL_NETLINK, option, &on, sizeof on);
  }
  int size = kSocketBuffer;
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
}

// netlinkOpen() → handle of a socket in the process's own network namespace
napi_value netlinkOpen(napi_env env, napi_callback_info) {
  Descriptor descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!descriptor.valid()) return throwSystemError(env, errno, "socket");
  setOptions(descriptor.get());
  return makeHandle(env, new RouteSocket(static_cast<Descriptor&&>(descriptor)));
}

bool hasOption(int fd, int option, int expected) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == expected;
}

// netlinkAdopt(fd) → handle of a duplicate of `fd`, which must be a routing netlink socket
napi_value netlinkAdopt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  Descriptor descriptor(::fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 3));
  if (!descriptor.valid()) return throwSystemError(env, errno, "fcntl");
  if (!hasOption(descriptor.get(), SO_DOMAIN, AF_NETLINK) ||
      !hasOption(descriptor.get(), SO_PROTOCOL, NETLINK_ROUTE)) {
    return throwSystemError(env, ENOTSOCK, "adopt");
  }
  setOptions(descriptor.get());
  return makeHandle(env, new RouteSocket(static_cast<Descriptor&&>(descriptor)));
}

// netlinkTransact(handle, request, firstSequence, count, timeoutMs) → Promise<Uint8Array>
napi_value netlinkTransact(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  RouteSocket* socket = readHandle<RouteSocket>(env, arguments.raw(0));
  const uint8_t* data = nullptr;
  size_t length = 0;
  int64_t sequence = 0;
  int64_t count = 0;
  int64_t timeoutMs = 0;
  if (socket == nullptr || !arguments.bytes(1, &data, &length) ||
      !arguments.integer(2, 0, UINT32_MAX, &sequence) || !arguments.integer(3, 1, kMaxMessages, &count) ||
      !arguments.integer(4, 1, kMaxTimeoutMs, &timeoutMs)) {
    return nullptr;
  }
  if (socket->closed()) return throwSystemError(env, EBADF, "netlink transaction");
  if (socket->busy()) return throwSystemError(env, EBUSY, "netlink transaction");
  if (length < sizeof(nlmsghdr) || length > kMaxRequest) return throwSystemError(env, EMSGSIZE, "netlink transaction");
  auto* transaction = new Transaction;
  transaction->socket = socket;
  transaction->fd = socket->fd();
  transaction->firstSequence = static_cast<uint32_t>(sequence);
  transaction->count = static_cast<uint32_t>(count);
  transaction->deadlineMs = nowMs() + timeoutMs;
  transaction->request.assign(data, data + length);
  napi_value promise = nullptr;
  napi_value name = nullptr;
  napi_create_string_utf8(env, "weft:netlink", NAPI_AUTO_LENGTH, &name);
  if (napi_create_async_work(env, nullptr, name, execute, complete, transaction, &transaction->work) != napi_ok) {
    delete transaction;
    return throwSystemError(env, ENOMEM, "netlink transaction");
  }
  napi_create_promise(env, &transaction->deferred, &promise);
  socket->begin();
  napi_queue_async_work(env, transaction->work);
  return promise;
}

// netlinkClose(handle): at once, or when the transaction under way ends
napi_value netlinkClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  RouteSocket* socket = readHandle<RouteSocket>(env, arguments.raw(0));
  if (socket == nullptr) return nullptr;
  socket->close();
  return undefined(env);
}

}  // namespace

void bindNetlink(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"netlinkOpen", netlinkOpen},
                              {"netlinkAdopt", netlinkAdopt},
                              {"netlinkTransact", netlinkTransact},
                              {"netlinkClose", netlinkClose}};
  bindAll(env, exports, bindings, sizeof bindings / sizeof bindings[0]);
}

}  // namespace weft

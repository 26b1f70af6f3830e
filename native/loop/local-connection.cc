#include "loop/local-connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "loop/local-server.h"

namespace weft {
namespace {

constexpr size_t kPrefix = 4;
constexpr size_t kReadChunk = 64 * 1024;

uint32_t readLength(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8 | static_cast<uint32_t>(at[2]) << 16 |
         static_cast<uint32_t>(at[3]) << 24;
}

}  // namespace

LocalConnection::LocalConnection(LocalServer* server, uint64_t id, Descriptor descriptor, const ucred& peer)
    : server_(server), id_(id), descriptor_(std::move(descriptor)), peer_(peer) {}

bool LocalConnection::open() {
  openedAt_ = server_->now();
  deadline_ = openedAt_ + server_->limits_.requestMs;
  if (poll_.open(server_->loop(), descriptor_.get(), this) != 0) return false;
  poll_.watch(UV_READABLE);
  return true;
}

void LocalConnection::onReady(int events, int error) {
  if (state_ == State::kWaiting) {
    // A client that has only said that it sends no more still waits for its answer.
    if (error == 0 && !hungUp()) return poll_.stop();
    LocalServer* server = server_;
    uint64_t id = id_;
    finish();
    return server->listener_->onClientGone(id);
  }
  if (error != 0) return finish();
  if (state_ == State::kReading && (events & UV_READABLE) != 0) return read();
  if (state_ == State::kWriting && (events & UV_WRITABLE) != 0) write();
}

void LocalConnection::read() {
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
    iovec part = {chunk, std::min(wanted - bytes_.size(), sizeof chunk)};
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

bool LocalConnection::hungUp() const {
  pollfd client = {descriptor_.get(), 0, 0};
  return ::poll(&client, 1, 0) > 0 && (client.revents & (POLLHUP | POLLERR)) != 0;
}

bool LocalConnection::takeDescriptors(msghdr* message) {
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

void LocalConnection::complete() {
  state_ = State::kWaiting;
  deadline_ = server_->now() + server_->limits_.answerMs;
  poll_.watch(UV_DISCONNECT);
  std::vector<uint8_t> request;
  request.swap(bytes_);
  std::vector<Descriptor> received;
  received.swap(received_);
  // The listener may answer, or close the whole server, before this returns: `this` must not be touched after.
  server_->listener_->onRequest(id_, peer_, received, request.data() + kPrefix, request.size() - kPrefix);
}

void LocalConnection::answer(const uint8_t* data, size_t length) {
  state_ = State::kWriting;
  bytes_.resize(kPrefix + length);
  for (size_t i = 0; i < kPrefix; i++) bytes_[i] = static_cast<uint8_t>(length >> (8 * i));
  if (length > 0) std::memcpy(bytes_.data() + kPrefix, data, length);
  deadline_ = server_->now() + server_->limits_.requestMs;
  write();
}

void LocalConnection::write() {
  while (written_ < bytes_.size()) {
    ssize_t sent = ::send(descriptor_.get(), bytes_.data() + written_, bytes_.size() - written_,
                          MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return poll_.watch(UV_WRITABLE);
    if (sent < 0) break;
    written_ += static_cast<size_t>(sent);
  }
  finish();
}

void LocalConnection::finish() {
  if (state_ == State::kGone) return;
  state_ = State::kGone;
  server_->forget(id_);
  poll_.close();
  descriptor_.reset();
  received_.clear();
}

void LocalConnection::onPollClosed() {
  LocalServer* server = server_;
  delete this;
  server->handleClosed();
}

}  // namespace weft

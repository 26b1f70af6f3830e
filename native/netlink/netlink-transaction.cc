#include "netlink/netlink-transaction.h"

#include <linux/netlink.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace weft {
namespace {

// The kernel never builds a netlink packet of more than 32 KiB for a reader who offers this much.
constexpr size_t kReceiveBytes = 64 * 1024;

int64_t nowMs() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

}  // namespace

NetlinkTransaction::NetlinkTransaction(NetlinkSocket* socket, const uint8_t* request, size_t length,
                                       uint32_t firstSequence, uint32_t count, int64_t timeoutMs)
    : socket_(socket),
      request_(request, request + length),
      firstSequence_(firstSequence),
      count_(count),
      deadlineMs_(nowMs() + timeoutMs) {}

Failure NetlinkTransaction::run() {
  // An earlier transaction that timed out may have left its answer unread.
  socket_->discardWaiting();
  if (int error = send()) return {error, "netlink send"};
  if (int error = receive()) return {error, "netlink receive"};
  return {};
}

int NetlinkTransaction::send() {
  for (;;) {
    ssize_t sent = socket_->send(request_.data(), request_.size());
    if (sent >= 0) return 0;
    if (sent != -EAGAIN) return static_cast<int>(-sent);
    if (int failed = waitFor(POLLOUT)) return failed;
  }
}

int NetlinkTransaction::receive() {
  std::vector<uint8_t> packet(kReceiveBytes);
  uint32_t finished = 0;
  while (finished < count_) {
    ssize_t got = socket_->receive(packet.data(), packet.size());
    if (got == -EAGAIN) {
      if (int failed = waitFor(POLLIN)) return failed;
      continue;
    }
    if (got == 0) return EPIPE;
    if (nowMs() > deadlineMs_) return ETIMEDOUT;
    // Only the kernel answers: another process may send to our port.
    if (got == -ENOMSG) continue;
    if (got < 0) return static_cast<int>(-got);
    if (reply_.size() + static_cast<size_t>(got) > kMaxReply) return EMSGSIZE;
    keepAnswers(packet.data(), static_cast<size_t>(got), &finished);
  }
  return 0;
}

// Waits for `events` until the deadline. 0 or an errno.
int NetlinkTransaction::waitFor(short events) const {
  for (;;) {
    int64_t left = deadlineMs_ - nowMs();
    if (left <= 0) return ETIMEDOUT;
    pollfd entry = {socket_->fd(), events, 0};
    int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return 0;
    if (ready == 0) return ETIMEDOUT;
    if (errno != EINTR) return errno;
  }
}

// Keeps the messages of `packet` that answer us; adds to `finished` those that end an answer.
void NetlinkTransaction::keepAnswers(const uint8_t* packet, size_t length, uint32_t* finished) {
  size_t at = 0;
  while (length - at >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, packet + at, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length - at) return;
    const size_t padded = NLMSG_ALIGN(header.nlmsg_len);
    if (header.nlmsg_seq - firstSequence_ < count_) {
      reply_.insert(reply_.end(), packet + at, packet + at + header.nlmsg_len);
      reply_.resize(reply_.size() + padded - header.nlmsg_len, 0);
      if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) (*finished)++;
    }
    if (padded > length - at) return;
    at += padded;
  }
}

}  // namespace weft

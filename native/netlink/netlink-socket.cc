#include "netlink/netlink-socket.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace weft {
namespace {

bool hasOption(int fd, int option, int expected) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == expected;
}

}  // namespace

Failure NetlinkSocket::open(int protocol, NetlinkSocket* out) {
  Descriptor descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!descriptor.valid()) return {errno, "socket"};
  out->descriptor_ = std::move(descriptor);
  out->setOptions();
  return out->takePort();
}

Failure NetlinkSocket::adopt(int fd, int protocol, NetlinkSocket* out) {
  Descriptor descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!descriptor.valid()) return {errno, "fcntl"};
  if (!hasOption(descriptor.get(), SO_DOMAIN, AF_NETLINK) || !hasOption(descriptor.get(), SO_PROTOCOL, protocol)) {
    return {ENOTSOCK, "adopt"};
  }
  out->descriptor_ = std::move(descriptor);
  out->setOptions();
  return {};
}

Failure NetlinkSocket::takePort() {
  sockaddr_nl own = {};
  socklen_t length = sizeof own;
  if (::getsockname(fd(), reinterpret_cast<sockaddr*>(&own), &length) != 0) return {errno, "getsockname"};
  if (own.nl_pid != 0) return {};
  own = {};
  own.nl_family = AF_NETLINK;
  if (::bind(fd(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) return {errno, "bind"};
  return {};
}

uint32_t NetlinkSocket::port() const {
  sockaddr_nl own = {};
  socklen_t length = sizeof own;
  return ::getsockname(fd(), reinterpret_cast<sockaddr*>(&own), &length) == 0 ? own.nl_pid : 0;
}

// Errors in words (EXT_ACK) without an echo of the request (CAP_ACK), and dumps that honour their filters. Best effort:
// each only makes answers better, and kernels before 4.20 lack the last.
void NetlinkSocket::setOptions() {
  int on = 1;
  for (int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    ::setsockopt(fd(), SOL_NETLINK, option, &on, sizeof on);
  }
}

void NetlinkSocket::setReceiveBuffer(int bytes) {
  if (::setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0) return;
  ::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

Failure NetlinkSocket::join(uint32_t group) {
  int number = static_cast<int>(group);
  if (::setsockopt(fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &number, sizeof number) == 0) return {};
  return {errno, "setsockopt NETLINK_ADD_MEMBERSHIP"};
}

ssize_t NetlinkSocket::send(const uint8_t* data, size_t length) {
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = -1;
  do {
    sent = ::sendto(fd(), data, length, MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

ssize_t NetlinkSocket::receive(uint8_t* into, size_t room) {
  sockaddr_nl from = {};
  iovec part = {into, room};
  msghdr message = {};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ssize_t got = -1;
  do {
    got = ::recvmsg(fd(), &message, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  if (message.msg_namelen != sizeof from || from.nl_pid != 0) return -ENOMSG;
  return (message.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : got;
}

void NetlinkSocket::discardWaiting() {
  uint8_t scratch[1];
  for (int i = 0; i < 4096; i++) {
    if (::recv(fd(), scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != ENOBUFS) return;
  }
}

}  // namespace weft

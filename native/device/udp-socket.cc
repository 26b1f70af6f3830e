#include "device/udp-socket.h"

#include <fcntl.h>
#include <linux/filter.h>

#include <cerrno>
#include <utility>

namespace weft {
namespace {

// Has each message that is received tell its TOS byte. 0 or an errno.
int tellTos(int fd, int family) {
  int on = 1;
  int failed = family == AF_INET ? ::setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on)
                                 : ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
  return failed == 0 ? 0 : errno;
}

}  // namespace

Failure UdpSocket::open(const SocketAddress& at, UdpSocket* out) {
  Descriptor descriptor(::socket(at.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.valid()) return {errno, "socket"};
  int one = 1;
  if (at.family() == AF_INET6 &&
      ::setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) {
    return {errno, "setsockopt IPV6_V6ONLY"};
  }
  if (int failed = tellTos(descriptor.get(), at.family())) return {failed, "setsockopt RECVTOS"};
  if (::bind(descriptor.get(), &at.any, at.length) != 0) return {errno, "bind"};
  out->descriptor_ = std::move(descriptor);
  out->family_ = at.family();
  return {};
}

Failure UdpSocket::adopt(int fd, UdpSocket* out) {
  UdpSocket socket;
  socket.descriptor_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!socket.valid()) return {errno, "fcntl F_DUPFD_CLOEXEC"};
  int type = 0;
  int protocol = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 ||
      ::getsockopt(socket.fd(), SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0 || type != SOCK_DGRAM ||
      protocol != IPPROTO_UDP) {
    return {EINVAL, "getsockopt SO_TYPE"};
  }
  socket.family_ = socket.boundTo().family();
  if (int failed = tellTos(socket.fd(), socket.family_)) return {failed, "setsockopt RECVTOS"};
  *out = std::move(socket);
  return {};
}

Failure UdpSocket::duplicate(UdpSocket* out) const {
  Descriptor descriptor(::fcntl(fd(), F_DUPFD_CLOEXEC, 0));
  if (!descriptor.valid()) return {errno, "fcntl F_DUPFD_CLOEXEC"};
  out->descriptor_ = std::move(descriptor);
  out->family_ = family_;
  return {};
}

SocketAddress UdpSocket::boundTo() const {
  SocketAddress at;
  return ::getsockname(fd(), &at.any, &at.length) == 0 ? at : SocketAddress();
}

int UdpSocket::refuseAll() const {
  // A filter that keeps no byte of any packet.
  sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog filter = {1, &none};
  return ::setsockopt(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 ? 0 : errno;
}

bool UdpSocket::knowsSegments() const {
  // Segments of 0 bytes mean none; the kernel that knows the option takes it.
  int none = 0;
  return ::setsockopt(fd(), SOL_UDP, UDP_SEGMENT, &none, sizeof none) == 0;
}

bool UdpSocket::joinReceived() const {
  int on = 1;
  return ::setsockopt(fd(), SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
}

}  // namespace weft

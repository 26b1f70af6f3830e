#include "device/udp-socket.h"

#include <netinet/udp.h>

#include <cerrno>
#include <cstring>
#include <utility>

// Newer than some C libraries' headers; both are in Linux since 5.0.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace weft {

Failure UdpSocket::open(const SocketAddress& at, UdpSocket* out) {
  Descriptor descriptor(::socket(at.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.valid()) return {errno, "socket"};
  int one = 1;
  if (at.family() == AF_INET6 &&
      ::setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) {
    return {errno, "setsockopt IPV6_V6ONLY"};
  }
  if (::bind(descriptor.get(), &at.any, at.length) != 0) return {errno, "bind"};
  out->descriptor_ = std::move(descriptor);
  out->family_ = at.family();
  return {};
}

uint16_t UdpSocket::port() const {
  SocketAddress at;
  return ::getsockname(fd(), &at.any, &at.length) == 0 ? at.port() : 0;
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

ssize_t UdpSocket::send(const SocketAddress& to, const uint8_t* data, size_t length, uint16_t segment) const {
  iovec part = {const_cast<uint8_t*>(data), length};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
  msghdr message = {};
  message.msg_name = const_cast<sockaddr*>(&to.any);
  message.msg_namelen = to.length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (length > segment) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof segment);
    std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

}  // namespace weft

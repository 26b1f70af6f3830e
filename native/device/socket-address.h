#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace weft {

// The address and port of an IPv4 or IPv6 socket, as the kernel takes and gives them.
struct SocketAddress {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t length = sizeof(sockaddr_in6);

  SocketAddress() : v6() {}
  // From the bytes of an address (4 for AF_INET, 16 for AF_INET6) and a port. `length` is 0 where they do not fit.
  SocketAddress(int family, const uint8_t* bytes, size_t count, uint16_t port);

  bool valid() const { return length != 0; }
  int family() const { return any.sa_family; }
  uint16_t port() const { return ntohs(family() == AF_INET ? v4.sin_port : v6.sin6_port); }
  void setPort(uint16_t port) { (family() == AF_INET ? v4.sin_port : v6.sin6_port) = htons(port); }
};

}  // namespace weft

#include "device/socket-address.h"

#include <cstring>

namespace weft {

SocketAddress::SocketAddress(int family, const uint8_t* bytes, size_t count, uint16_t port) : v6() {
  length = 0;
  if (family == AF_INET && count == 4) {
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, bytes, 4);
    length = sizeof v4;
  } else if (family == AF_INET6 && count == 16) {
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, bytes, 16);
    length = sizeof v6;
  }
  if (valid()) setPort(port);
}

}  // namespace weft

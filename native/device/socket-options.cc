#include "device/socket-options.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace weft {
namespace {

int64_t setBuffer(int fd, int forced, int polite, int bytes) {
  // The FORCE form passes net.core.[rw]mem_max but needs CAP_NET_ADMIN.
  if (::setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0 &&
      ::setsockopt(fd, SOL_SOCKET, polite, &bytes, sizeof bytes) != 0) {
    return -errno;
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  if (::getsockopt(fd, SOL_SOCKET, polite, &granted, &length) != 0) return -errno;
  return granted / 2;  // the kernel reports twice what it was asked for: payload and book-keeping
}

}  // namespace

int64_t setReceiveBuffer(int fd, int bytes) { return setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, bytes); }

int64_t setSendBuffer(int fd, int bytes) { return setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, bytes); }

int setPathMtuDiscovery(int fd, int family, PathMtuDiscovery mode) {
  const int v4[] = {IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE};
  const int v6[] = {IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_DO, IPV6_PMTUDISC_PROBE};
  const int at = static_cast<int>(mode);
  int failed = family == AF_INET ? ::setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4[at], sizeof(int))
                                 : ::setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6[at], sizeof(int));
  return failed == 0 ? 0 : -errno;
}

}  // namespace weft

#pragma once

#include <cstdint>

namespace weft {

// Options of sockets that somebody else opened. Each answers −errno where the kernel refuses.

// Asks for a receive or send buffer of `bytes`. The bytes granted, which may be fewer without CAP_NET_ADMIN.
int64_t setReceiveBuffer(int fd, int bytes);
int64_t setSendBuffer(int fd, int bytes);

// What to do with datagrams that are larger than the path takes.
enum class PathMtuDiscovery {
  kOff,    // they are fragmented
  kDo,     // DF is set, and the kernel learns from ICMP
  kProbe,  // DF is set, and ICMP is ignored
};

// Sets it for a socket of `family` (AF_INET, AF_INET6). 0 or −errno.
int setPathMtuDiscovery(int fd, int family, PathMtuDiscovery mode);

}  // namespace weft

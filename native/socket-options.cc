// Socket options and file locks that Node does not offer. Each call takes a descriptor number and returns 0 (or a
// value) or −errno; the descriptor stays the caller's.
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <cerrno>

#include "support.h"

namespace weft {
namespace {

int64_t setBuffer(int fd, int forced, int polite, int bytes) {
  // The FORCE form passes net.core.[rw]mem_max but needs CAP_NET_ADMIN.
  if (::setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) == 0) return 0;
  return ::setsockopt(fd, SOL_SOCKET, polite, &bytes, sizeof bytes) == 0 ? 0 : -errno;
}

int64_t granted(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &length) != 0) return -errno;
  return value / 2;  // the kernel reports twice what it was asked for: payload and book-keeping
}

// setReceiveBuffer(fd, bytes), setSendBuffer(fd, bytes) → bytes granted or −errno
template <int Forced, int Polite>
napi_value setBufferBytes(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  int64_t bytes = 0;
  if (!arguments.integer(0, 0, INT32_MAX, &fd) || !arguments.integer(1, 1, INT32_MAX / 2, &bytes)) return nullptr;
  int64_t failed = setBuffer(static_cast<int>(fd), Forced, Polite, static_cast<int>(bytes));
  return number(env, static_cast<double>(failed != 0 ? failed : granted(static_cast<int>(fd), Polite)));
}

// setPathMtuDiscovery(fd, family 4|6, mode: 0 off, 1 "do" (DF, learns from ICMP), 2 "probe" (DF, ignores ICMP))
napi_value setPathMtuDiscovery(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  int64_t family = 0;
  int64_t mode = 0;
  if (!arguments.integer(0, 0, INT32_MAX, &fd) || !arguments.integer(1, 4, 6, &family) ||
      !arguments.integer(2, 0, 2, &mode)) {
    return nullptr;
  }
  const int v4[] = {IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE};
  const int v6[] = {IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_DO, IPV6_PMTUDISC_PROBE};
  int failed = family == 4 ? ::setsockopt(static_cast<int>(fd), IPPROTO_IP, IP_MTU_DISCOVER, &v4[mode], sizeof(int))
                           : ::setsockopt(static_cast<int>(fd), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6[mode], sizeof(int));
  return number(env, failed == 0 ? 0 : -errno);
}

// tryLock(fd) → 0, or −EWOULDBLOCK while another open file description holds the lock
napi_value tryLock(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  int failed = 0;
  do {
    failed = ::flock(static_cast<int>(fd), LOCK_EX | LOCK_NB);
  } while (failed != 0 && errno == EINTR);
  return number(env, failed == 0 ? 0 : -errno);
}

}  // namespace

void bindSocketOptions(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"setReceiveBuffer", setBufferBytes<SO_RCVBUFFORCE, SO_RCVBUF>},
                              {"setSendBuffer", setBufferBytes<SO_SNDBUFFORCE, SO_SNDBUF>},
                              {"setPathMtuDiscovery", setPathMtuDiscovery},
                              {"tryLock", tryLock}};
  bindAll(env, exports, bindings, sizeof bindings / sizeof bindings[0]);
}

}  // namespace weft

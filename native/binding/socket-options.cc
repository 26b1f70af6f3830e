// Binds socket options and file locks that Node does not offer. Each call takes a descriptor number, which stays the
// caller's, and returns 0 (or a value) or −errno.
#include <sys/socket.h>

#include "binding/arguments.h"
#include "binding/parts.h"
#include "binding/values.h"
#include "device/file-lock.h"
#include "device/socket-options.h"

namespace weft {
namespace {

// setReceiveBuffer(fd, bytes), setSendBuffer(fd, bytes) → bytes granted or −errno
template <int64_t (*Set)(int fd, int bytes)>
napi_value setBufferBytes(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  int64_t bytes = 0;
  if (!arguments.integer(0, 0, INT32_MAX, &fd) || !arguments.integer(1, 1, INT32_MAX / 2, &bytes)) return nullptr;
  return number(env, static_cast<double>(Set(static_cast<int>(fd), static_cast<int>(bytes))));
}

// setPathMtuDiscovery(fd, family 4|6, mode: 0 off, 1 "do" (DF, learns from ICMP), 2 "probe" (DF, ignores ICMP))
napi_value setPathMtu(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  int64_t family = 0;
  int64_t mode = 0;
  if (!arguments.integer(0, 0, INT32_MAX, &fd) || !arguments.integer(1, 4, 6, &family) ||
      !arguments.integer(2, 0, 2, &mode)) {
    return nullptr;
  }
  return number(env, setPathMtuDiscovery(static_cast<int>(fd), family == 4 ? AF_INET : AF_INET6,
                                         static_cast<PathMtuDiscovery>(mode)));
}

// tryLock(fd) → 0, or −EWOULDBLOCK while another open file description holds the lock
napi_value tryLock(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t fd = -1;
  if (!arguments.integer(0, 0, INT32_MAX, &fd)) return nullptr;
  return number(env, tryLockFile(static_cast<int>(fd)));
}

}  // namespace

void bindSocketOptions(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"setReceiveBuffer", setBufferBytes<setReceiveBuffer>},
                              {"setSendBuffer", setBufferBytes<setSendBuffer>},
                              {"setPathMtuDiscovery", setPathMtu},
                              {"tryLock", tryLock}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

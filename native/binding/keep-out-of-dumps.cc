// Binds what keeps the memory of this process from others.
#include <sys/prctl.h>

#include <cerrno>

#include "binding/parts.h"
#include "binding/values.h"

namespace weft {
namespace {

// keepOutOfDumps() → 0 or −errno
napi_value keepOutOfDumps(napi_env env, napi_callback_info) {
  return number(env, ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -errno);
}

}  // namespace

void bindKeepOutOfDumps(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"keepOutOfDumps", keepOutOfDumps}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

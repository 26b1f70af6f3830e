#include "aead/aes-hardware.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace weft {

bool hasAesHardware() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
#elif defined(__aarch64__)
  constexpr unsigned long wanted = HWCAP_AES | HWCAP_PMULL;
  return (::getauxval(AT_HWCAP) & wanted) == wanted;
#else
  return false;
#endif
}

}  // namespace weft

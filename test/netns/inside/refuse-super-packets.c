// Preloaded into weftd: has the kernel seem to refuse super-packets that are written to a TUN device, as soon as there is
// the file that REFUSE_SUPER_PACKETS names. Build: gcc -shared -fPIC.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t writev(int fd, const struct iovec *parts, int count) {
  static ssize_t (*next)(int, const struct iovec *, int);
  if (next == NULL) next = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
  const char *file = getenv("REFUSE_SUPER_PACKETS");
  struct ifreq tun;
  // The second byte of a virtio header is the kind of super-packet, 0 for none.
  if (file != NULL && count > 1 && parts[0].iov_len > 10 && ((const unsigned char *)parts[0].iov_base)[1] != 0 &&
      ioctl(fd, TUNGETIFF, &tun) == 0 && access(file, F_OK) == 0) {
    errno = EINVAL;
    return -1;
  }
  return next(fd, parts, count);
}

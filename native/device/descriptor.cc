#include "device/descriptor.h"

#include <unistd.h>

namespace weft {

void Descriptor::reset(int fd) {
  // Not retried on EINTR: on Linux the descriptor is gone either way.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace weft

#pragma once

#include <sys/file.h>

#include <cerrno>

namespace weft {

// Locks an open file for its open file description (flock(2)), without waiting. 0, or −errno: −EWOULDBLOCK while another
// description holds the lock.
inline int tryLockFile(int fd) {
  int failed = 0;
  do {
    failed = ::flock(fd, LOCK_EX | LOCK_NB);
  } while (failed != 0 && errno == EINTR);
  return failed == 0 ? 0 : -errno;
}

}  // namespace weft

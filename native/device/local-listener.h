#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <string>

#include "device/descriptor.h"
#include "device/failure.h"

namespace weft {

// A unix stream socket that listens under a name in the file system, for root and our own user alone: its file has mode
// 0600 from the start.
class LocalListener {
 public:
  // Listens at `path`, which fits into sockaddr_un. A socket file on which nobody listens any more is replaced.
  // EADDRINUSE where somebody does, ENOTSOCK where the file is something else.
  static Failure open(const char* path, int backlog, LocalListener* out);

  int fd() const { return descriptor_.get(); }
  // Stops listening, and removes the name if it is still ours.
  void close();

  // Takes the next client, without waiting. 0, or an errno: EAGAIN where there is none, EACCES for one who is neither
  // root nor our own user and was closed unheard.
  int accept(Descriptor* client, ucred* peer) const;
  // Whether clients wait to be accepted.
  bool hasWaiting() const;

 private:
  Descriptor descriptor_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace weft

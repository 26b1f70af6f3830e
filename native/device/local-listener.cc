#include "device/local-listener.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weft {
namespace {

// Frees the name of a socket that nobody listens on any more. 0, or the errno why the name is not free.
int removeStale(const sockaddr_un& address) {
  struct stat found = {};
  if (::lstat(address.sun_path, &found) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(found.st_mode)) return ENOTSOCK;
  Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return errno;
  // Anything but a refusal (also EAGAIN: a full backlog) means that somebody is there.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return EADDRINUSE;
  if (errno != ECONNREFUSED) return EADDRINUSE;
  return ::unlink(address.sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

}  // namespace

Failure LocalListener::open(const char* path, int backlog, LocalListener* out) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return {ENAMETOOLONG, "bind"};
  std::memcpy(address.sun_path, path, std::strlen(path) + 1);
  if (int failed = removeStale(address)) return {failed, "connect"};
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return {errno, "socket"};
  // Linux gives the name the mode of the socket, so it never exists with a wider one.
  if (::fchmod(listener.get(), 0600) != 0) return {errno, "fchmod"};
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {errno, "bind"};
  struct stat made = {};
  if (::lstat(path, &made) != 0 || ::listen(listener.get(), backlog) != 0) return {errno, "listen"};
  out->descriptor_ = std::move(listener);
  out->path_ = path;
  out->device_ = made.st_dev;
  out->inode_ = made.st_ino;
  return {};
}

void LocalListener::close() {
  struct stat now = {};
  if (descriptor_.valid() && ::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  descriptor_.reset();
}

int LocalListener::accept(Descriptor* client, ucred* peer) const {
  client->reset(::accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!client->valid()) return errno;
  socklen_t length = sizeof *peer;
  if (::getsockopt(client->get(), SOL_SOCKET, SO_PEERCRED, peer, &length) != 0 ||
      (peer->uid != 0 && peer->uid != ::geteuid())) {
    client->reset();
    return EACCES;
  }
  return 0;
}

bool LocalListener::hasWaiting() const {
  pollfd backlog = {fd(), POLLIN, 0};
  return ::poll(&backlog, 1, 0) > 0;
}

}  // namespace weft

#include "device/local-client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "device/descriptor.h"

namespace weft {
namespace {

constexpr size_t kMaxDescriptors = 4;

}  // namespace

Failure sendLocal(const char* path, const uint8_t* data, size_t length, std::span<const int> descriptors) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return {ENAMETOOLONG, "connect"};
  if (descriptors.size() > kMaxDescriptors) return {EMSGSIZE, "sendmsg"};
  std::memcpy(address.sun_path, path, std::strlen(path) + 1);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return {errno, "socket"};
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {errno, "connect"};
  }
  ucred listener = {};
  socklen_t size = sizeof listener;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) return {errno, "getsockopt SO_PEERCRED"};
  if (listener.uid != 0 && listener.uid != ::geteuid()) return {EACCES, "connect"};
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  iovec part = {const_cast<uint8_t*>(data), length};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return {errno, "sendmsg"};
  // A new socket's buffer takes more than any such message.
  return static_cast<size_t>(sent) == length ? Failure{} : Failure{EAGAIN, "sendmsg"};
}

}  // namespace weft

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "device/descriptor.h"
#include "device/failure.h"

namespace weft {

// An AF_NETLINK socket (netlink(7)) of any protocol. It speaks for the network namespace in which it was opened.
class NetlinkSocket {
 public:
  // Opens one in the caller's network namespace, with a port of its own. `protocol`: NETLINK_ROUTE and the like.
  static Failure open(int protocol, NetlinkSocket* out);
  // Duplicates `fd`, which another process may have opened. ENOTSOCK where it is no netlink socket of `protocol`.
  static Failure adopt(int fd, int protocol, NetlinkSocket* out);

  int fd() const { return descriptor_.get(); }
  bool valid() const { return descriptor_.valid(); }
  void close() { descriptor_.reset(); }

  // Gives it a port of its own, unless it has one. Without one it hears nothing of what the kernel tells: the kernel leaves
  // out port 0.
  Failure takePort();

  // The port by which the kernel knows it, also in what it tells others of what was done through it. 0 without one.
  uint32_t port() const;

  // How many bytes may wait to be read, the kernel's own accounting included. Past net.core.rmem_max only with
  // CAP_NET_ADMIN; without it the socket gets what that sysctl allows.
  void setReceiveBuffer(int bytes);

  // Becomes a member of a multicast group, from 1 on. EPERM where the protocol keeps its groups to CAP_NET_ADMIN.
  Failure join(uint32_t group);

  // Sends one datagram to the kernel without waiting. Its length, or −errno.
  ssize_t send(const uint8_t* data, size_t length);

  // Receives one datagram without waiting. Its length, or −errno: −EAGAIN where nothing is there, −EMSGSIZE for one
  // that did not fit (the rest of it is gone), −ENOMSG for one that another process sent and that is thrown away.
  ssize_t receive(uint8_t* into, size_t room);

  // Throws away what waits to be read. Bounded: a member of a busy group may never run dry.
  void discardWaiting();

 private:
  void setOptions();

  Descriptor descriptor_;
};

}  // namespace weft

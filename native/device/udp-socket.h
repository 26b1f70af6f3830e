#pragma once

#include <netinet/udp.h>

#include <cstdint>

#include "device/descriptor.h"
#include "device/failure.h"
#include "device/socket-address.h"

// Newer than some C libraries' headers; both are in Linux since 5.0.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace weft {

// A UDP socket of IPv4 alone or IPv6 alone, and what its kernel can do for runs of equal datagrams. Runs are sent by
// sendUdp (udp-send.h) and received by receiveUdp (udp-receive.h), each with the TOS byte (IPv6: traffic class) of its datagrams, that is DSCP and ECN.
class UdpSocket {
 public:
  // Binds a socket to `at`; port 0 is any.
  static Failure open(const SocketAddress& at, UdpSocket* out);

  // Takes part in the bound socket `fd`, of which another process keeps a descriptor too; `fd` stays open. EINVAL where it
  // is no UDP socket.
  static Failure adopt(int fd, UdpSocket* out);

  // A second descriptor of the same socket, which goes on when this one is closed.
  Failure duplicate(UdpSocket* out) const;

  int fd() const { return descriptor_.get(); }
  bool valid() const { return descriptor_.valid(); }
  int family() const { return family_; }
  void close() { descriptor_.reset(); }
  // The port it is bound to; 0 where that cannot be asked.
  uint16_t port() const { return boundTo().port(); }
  // What it is bound to; the address of nobody and port 0 where that cannot be asked.
  SocketAddress boundTo() const;

  // From now on what comes to it is dropped, for nobody reads it. 0 or an errno.
  int refuseAll() const;

  // Whether the kernel knows UDP_SEGMENT for this socket (Linux 4.18).
  bool knowsSegments() const;
  // Asks for messages that hold several datagrams of one sender (UDP_GRO, Linux 5.0). False where there are none.
  bool joinReceived() const;

 private:
  Descriptor descriptor_;
  int family_ = AF_UNSPEC;
};

}  // namespace weft

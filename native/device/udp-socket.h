#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "device/descriptor.h"
#include "device/failure.h"
#include "device/socket-address.h"

namespace weft {

// A UDP socket of IPv4 alone or IPv6 alone that sends a run of equal datagrams by one call (UDP_SEGMENT). Received are
// runs as well, see UdpBatch.
class UdpSocket {
 public:
  // Binds a socket to `at`; port 0 is any.
  static Failure open(const SocketAddress& at, UdpSocket* out);

  int fd() const { return descriptor_.get(); }
  bool valid() const { return descriptor_.valid(); }
  int family() const { return family_; }
  void close() { descriptor_.reset(); }
  // The port it is bound to; 0 where that cannot be asked.
  uint16_t port() const;

  // Whether the kernel knows UDP_SEGMENT for this socket (Linux 4.18).
  bool knowsSegments() const;
  // Asks for messages that hold several datagrams of one sender (UDP_GRO, Linux 5.0). False where there are none.
  bool joinReceived() const;

  // Sends `length` bytes as datagrams of `segment` bytes, the last may be shorter. Bytes, or −errno.
  ssize_t send(const SocketAddress& to, const uint8_t* data, size_t length, uint16_t segment) const;

 private:
  Descriptor descriptor_;
  int family_ = AF_UNSPEC;
};

}  // namespace weft

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "device/udp-socket.h"

namespace weft {

// Sends a run of equal datagrams to one address by one call (sendmsg with UDP_SEGMENT): `length` bytes as datagrams of
// `segment` bytes, the last may be shorter, all with the byte `tos` of DSCP and ECN. A single datagram goes without UDP_SEGMENT, so any kernel takes it. Bytes
// sent, or −errno (−EAGAIN: the socket's buffer is full). Received are runs as well, see udp-receive.h.
ssize_t sendUdp(const UdpSocket& socket, const SocketAddress& to, const uint8_t* data, size_t length, uint16_t segment,
                uint8_t tos);

}  // namespace weft

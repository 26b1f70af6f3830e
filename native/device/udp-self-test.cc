#include "device/udp-self-test.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "device/udp-receive.h"
#include "device/udp-send.h"
#include "device/udp-socket.h"

namespace weft {

SegmentsSeen tryUdpSegments() {
  const uint8_t loopback[4] = {127, 0, 0, 1};
  SocketAddress at(AF_INET, loopback, sizeof loopback, 0);
  UdpSocket from;
  UdpSocket to;
  if (UdpSocket::open(at, &from) || UdpSocket::open(at, &to)) return SegmentsSeen::kUnknown;
  at.setPort(to.port());
  constexpr size_t length = 250;
  constexpr size_t segment = 100;
  uint8_t sent[length];
  for (size_t i = 0; i < length; i++) sent[i] = static_cast<uint8_t>(i * 7);
  ssize_t wrote = sendUdp(from, at, sent, length, segment, 0);
  if (wrote < 0) return wrote == -ENETUNREACH || wrote == -EPERM ? SegmentsSeen::kUnknown : SegmentsSeen::kFail;
  size_t offset = 0;
  while (offset < length) {
    uint8_t received[UdpBatch::kSlotBytes];
    pollfd wait = {to.fd(), POLLIN, 0};
    if (::poll(&wait, 1, 50) != 1) return offset == 0 ? SegmentsSeen::kUnknown : SegmentsSeen::kFail;
    ssize_t got = ::recv(to.fd(), received, sizeof received, MSG_DONTWAIT);
    size_t expected = std::min(length - offset, segment);
    if (got != static_cast<ssize_t>(expected) || std::memcmp(received, sent + offset, expected) != 0) {
      return SegmentsSeen::kFail;
    }
    offset += expected;
  }
  return SegmentsSeen::kWork;
}

}  // namespace weft

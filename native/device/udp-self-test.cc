#include "device/udp-self-test.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "device/udp-receive.h"
#include "device/udp-send.h"
#include "device/udp-socket.h"

namespace weft {

namespace {

constexpr size_t kLength = 250;
constexpr size_t kSegment = 100;

// Two sockets on the loopback, and a run that one sent to the other.
struct Trial {
  UdpSocket from;
  UdpSocket to;
  uint8_t sent[kLength];

  SegmentsSeen open() {
    const uint8_t loopback[4] = {127, 0, 0, 1};
    at_ = SocketAddress(AF_INET, loopback, sizeof loopback, 0);
    if (UdpSocket::open(at_, &from) || UdpSocket::open(at_, &to)) return SegmentsSeen::kUnknown;
    at_.setPort(to.port());
    return SegmentsSeen::kWork;
  }
  SegmentsSeen send() {
    for (size_t i = 0; i < kLength; i++) sent[i] = static_cast<uint8_t>(i * 7);
    const ssize_t wrote = sendUdp(from, at_, sent, kLength, kSegment, 0);
    if (wrote >= 0) return SegmentsSeen::kWork;
    return wrote == -ENETUNREACH || wrote == -EPERM ? SegmentsSeen::kUnknown : SegmentsSeen::kFail;
  }
  // Whether something is there to be received, within 50 ms.
  bool wait() const {
    pollfd wait = {to.fd(), POLLIN, 0};
    return ::poll(&wait, 1, 50) == 1;
  }

 private:
  SocketAddress at_;
};

}  // namespace

SegmentsSeen tryUdpSegments() {
  Trial trial;
  SegmentsSeen seen = trial.open();
  if (seen == SegmentsSeen::kWork) seen = trial.send();
  size_t offset = 0;
  while (seen == SegmentsSeen::kWork && offset < kLength) {
    uint8_t received[UdpBatch::kSlotBytes];
    if (!trial.wait()) return offset == 0 ? SegmentsSeen::kUnknown : SegmentsSeen::kFail;
    const ssize_t got = ::recv(trial.to.fd(), received, sizeof received, MSG_DONTWAIT);
    const size_t expected = std::min(kLength - offset, kSegment);
    if (got != static_cast<ssize_t>(expected) || std::memcmp(received, trial.sent + offset, expected) != 0) {
      return SegmentsSeen::kFail;
    }
    offset += expected;
  }
  return seen;
}

SegmentsSeen tryUdpJoins() {
  Trial trial;
  SegmentsSeen seen = trial.open();
  if (seen == SegmentsSeen::kWork && !trial.to.joinReceived()) return SegmentsSeen::kFail;
  if (seen == SegmentsSeen::kWork) seen = trial.send();
  auto buffer = std::make_unique_for_overwrite<uint8_t[]>(UdpBatch::kBufferBytes);
  uint32_t words[UdpBatch::kMessages * UdpBatch::kWords];
  size_t offset = 0;
  while (seen == SegmentsSeen::kWork && offset < kLength) {
    if (!trial.wait()) return offset == 0 ? SegmentsSeen::kUnknown : SegmentsSeen::kFail;
    const UdpBatch batch = receiveUdp(trial.to, buffer.get(), words);
    if (batch.count == 0) return SegmentsSeen::kFail;
    for (int i = 0; i < batch.count; i++) {
      const size_t length = words[i * UdpBatch::kWords];
      const size_t segment = words[i * UdpBatch::kWords + 1];
      const bool bounds = length > 0 && length <= kLength - offset && (segment == kSegment || (segment == 0 && length <= kSegment));
      const uint8_t* bytes = buffer.get() + static_cast<size_t>(i) * UdpBatch::kSlotBytes;
      if (!bounds || std::memcmp(bytes, trial.sent + offset, length) != 0) return SegmentsSeen::kFail;
      offset += length;
    }
  }
  return seen;
}

}  // namespace weft

#include "device/packet-capture.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weft {
namespace {

// A super-packet that the kernel would cut later (GSO) has 64 KB and its headers.
constexpr size_t kMaxPacketBytes = 72 * 1024;
// Enough for what a busy interface sends between two looks; what does not fit is lost to the capture alone.
constexpr int kReceiveBufferBytes = 16 * 1024 * 1024;

}  // namespace

Failure PacketCapture::open(int link, PacketCapture* out) {
  // Protocol 0 hears nothing yet: a socket for all protocols would hear all interfaces until it is bound.
  Descriptor descriptor(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor.valid()) return {errno, "socket AF_PACKET"};
  int bytes = kReceiveBufferBytes;
  if (::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    ::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  sockaddr_ll at = {};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = link;
  if (::bind(descriptor.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) return {errno, "bind AF_PACKET"};
  out->descriptor_ = std::move(descriptor);
  out->packet_ = std::make_unique<uint8_t[]>(kMaxPacketBytes);
  return {};
}

Failure PacketCapture::search(const uint8_t* bytes, size_t length, Found* out) {
  for (int i = 0; i < kMaxPackets; i++) {
    sockaddr_ll from = {};
    socklen_t size = sizeof from;
    ssize_t got = ::recvfrom(descriptor_.get(), packet_.get(), kMaxPacketBytes, MSG_DONTWAIT,
                             reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return {};
      return {errno, "recvfrom AF_PACKET"};
    }
    if (from.sll_pkttype != PACKET_OUTGOING) continue;
    out->packets++;
    if (::memmem(packet_.get(), static_cast<size_t>(got), bytes, length) != nullptr) out->matches++;
  }
  return {};
}

}  // namespace weft

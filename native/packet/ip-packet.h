#pragma once

#include <cstddef>
#include <cstdint>

namespace weft {

constexpr uint8_t kProtocolIcmp4 = 1;
constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;
constexpr uint8_t kProtocolIcmp6 = 58;

// Offset of the checksum in a TCP and in a UDP header.
constexpr size_t kTcpChecksum = 16;
constexpr size_t kUdpChecksum = 6;

// A *plain* IP packet: TCP, UDP, or an ICMP echo or its answer, whole, to one host, with neither IP options nor extension
// headers. These are all but a few of the packets there are. Any other is left to router/packet/ip-packet.ts, which
// judges it and knows what to answer.
struct IpPacket {
  uint8_t* bytes = nullptr;
  size_t length = 0;
  int family = 0;          // 4 or 6
  size_t transport = 0;    // 20 or 40
  uint8_t protocol = 0;
  bool dontFragment = false;  // always in IPv6

  bool isTcp() const { return protocol == kProtocolTcp; }
  bool isUdp() const { return protocol == kProtocolUdp; }
  const uint8_t* source() const { return bytes + (family == 4 ? 12 : 8); }
  const uint8_t* destination() const { return bytes + (family == 4 ? 16 : 24); }
  // Requires TCP or UDP.
  size_t transportHeaderLength() const { return isUdp() ? 8u : static_cast<size_t>(bytes[transport + 12] >> 4) * 4; }
  size_t headersLength() const { return transport + transportHeaderLength(); }
  size_t checksumOffset() const { return isUdp() ? kUdpChecksum : kTcpChecksum; }

  // Reads the packet that fills the `count` bytes at `at` exactly. False where it is not plain, or not sound.
  static bool readPlain(uint8_t* at, size_t count, IpPacket* out);
};

}  // namespace weft

#pragma once

#include <cstddef>
#include <cstdint>

#include "packet/bytes.h"

namespace weft {

constexpr size_t kVnetHeader = 10;
constexpr uint8_t kVnetNeedsChecksum = 1;
constexpr uint8_t kGsoNone = 0;
constexpr uint8_t kGsoTcp4 = 1;
constexpr uint8_t kGsoTcp6 = 4;
constexpr uint8_t kGsoUdp = 5;  // as UDP_SEGMENT does it (USO)
constexpr uint8_t kGsoEcn = 0x80;

// The header before each packet of a TUN device, see device/tun-device.h. `headerLength` is wrong for packets that the
// host forwards, so it is written and never read.
struct VnetHeader {
  uint8_t flags = 0;
  uint8_t gsoType = kGsoNone;
  uint16_t headerLength = 0;
  uint16_t gsoSize = 0;
  uint16_t checksumStart = 0;
  uint16_t checksumOffset = 0;

  static VnetHeader read(const uint8_t* at) {
    return {at[0],
            at[1],
            readLittle<uint16_t>(at + 2),
            readLittle<uint16_t>(at + 4),
            readLittle<uint16_t>(at + 6),
            readLittle<uint16_t>(at + 8)};
  }
  // Of one packet; `checksumStart` 0 says that its checksum is complete.
  static VnetHeader plain(size_t checksumStart, size_t checksumOffset) {
    VnetHeader header;
    if (checksumStart == 0) return header;
    header.flags = kVnetNeedsChecksum;
    header.checksumStart = static_cast<uint16_t>(checksumStart);
    header.checksumOffset = static_cast<uint16_t>(checksumOffset);
    return header;
  }
  void write(uint8_t* at) const {
    at[0] = flags;
    at[1] = gsoType;
    writeLittle(at + 2, headerLength);
    writeLittle(at + 4, gsoSize);
    writeLittle(at + 6, checksumStart);
    writeLittle(at + 8, checksumOffset);
  }
};

}  // namespace weft

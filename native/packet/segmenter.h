#pragma once

#include <cstddef>
#include <cstdint>

#include "packet/ip-packet.h"
#include "packet/vnet-header.h"

namespace weft {

// Cuts a super-packet of the kernel (TSO, USO) into the packets that the network sees, as router/packet/segmentation.ts
// says: lengths, IPv4 identification and TCP sequence counted on; FIN and PSH on the last only, CWR on the first only;
// transport checksums left partial.
class Segmenter {
 public:
  // Takes up the super-packet `ip`, whose bytes stay untouched until the last segment is made. False where it is none
  // that can be cut; router/packet/segmentation.ts then says why.
  bool begin(const IpPacket& ip, const VnetHeader& header);
  // Bytes of the largest segment to come, headers included, and how many there are.
  size_t largest() const;
  size_t count() const;
  // Bytes of the next segment; 0 when none is left.
  size_t nextLength() const;
  // Writes it to `out`.
  void write(uint8_t* out);

 private:
  IpPacket ip_;
  size_t payload_ = 0;  // where it begins
  size_t at_ = 0;       // where its next segment begins
  size_t gsoSize_ = 1;
  uint64_t pseudo_ = 0;  // the sum of the pseudo header without the length
  bool done_ = true;
};

}  // namespace weft

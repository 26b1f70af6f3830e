#pragma once

#include <cstddef>
#include <cstdint>

#include "device/udp-socket.h"

namespace weft {

// Several messages received at once (recvmmsg), each perhaps a run of datagrams that the kernel left together (UDP_GRO).
// Message `i` lies at `i * kSlotBytes` of the buffer, and these words from `i * kWords` describe it:
//
//   0        1         2      3 … 6     7
//   | length | segment | port | address | tos |
//
// segment: bytes of each datagram, the last may be shorter; 0: just one. tos: the byte of DSCP and ECN, of all of them.
// The address is in network order, read as numbers; an IPv4 address is in the first of the four, the others are 0.
struct UdpBatch {
  // A batch holds at most this many messages, and no further call is made past this many bytes, so that a flood leaves
  // the event loop to the TUN in between.
  static constexpr int kMessages = 32;
  static constexpr int kMessagesAtOnce = 8;
  static constexpr size_t kBatchBytes = 256 * 1024;
  static constexpr size_t kSlotBytes = 65536;
  static constexpr size_t kBufferBytes = kMessages * kSlotBytes;
  static constexpr int kWords = 8;

  int count = 0;  // messages
  int error = 0;  // an errno, after the messages
};

// Reads what is there, up to a batch. `buffer` has UdpBatch::kBufferBytes, `words` kMessages * kWords.
UdpBatch receiveUdp(const UdpSocket& socket, uint8_t* buffer, uint32_t* words);

}  // namespace weft

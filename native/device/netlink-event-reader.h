#pragma once

#include <cstddef>
#include <cstdint>

#include "device/netlink-socket.h"

namespace weft {

// Reads the events of a netlink socket in batches, and knows when some of them were lost.
//
// When the socket's buffer is full the kernel says ENOBUFS once, and then drops every further event until the reader
// has emptied the buffer. So a loss is told only once the buffer is empty: a reader who then asks the kernel for the
// whole state misses nothing, because what happens after that comes as an event again.
class NetlinkEventReader {
 public:
  // A batch holds at most this many datagrams, and none is begun past this many bytes.
  static constexpr size_t kBatchDatagrams = 64;
  static constexpr size_t kBatchBytes = 128 * 1024;
  // The longest datagram: NFLOG collects packets up to 128 KiB (NFULNL_NLBUFSIZ_MAX), others stay far below.
  static constexpr size_t kMaxDatagram = 128 * 1024;
  static constexpr size_t kBufferBytes = kBatchBytes + kMaxDatagram;

  struct Batch {
    size_t count = 0;    // datagrams read
    bool lost = false;   // events were lost, and the buffer is empty now
    int error = 0;       // the errno for which the socket can be read no more
  };

  // Reads what is there, up to a batch: datagram `i` lies at `buffer + offsets[i]` and has `lengths[i]` bytes.
  // `buffer` has kBufferBytes, the others kBatchDatagrams.
  Batch read(NetlinkSocket* socket, uint8_t* buffer, int32_t* offsets, int32_t* lengths);

 private:
  bool lossToTell_ = false;
};

}  // namespace weft

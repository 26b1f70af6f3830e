#pragma once

#include <cstddef>

#include "device/frame-batch.h"
#include "netlink/netlink-socket.h"

namespace weft {

// Reads the events of a netlink socket in batches, and knows when some of them were lost.
//
// When the socket's buffer is full the kernel says ENOBUFS once, and then drops every further event until the reader
// has emptied the buffer. So a loss is told only once the buffer is empty: a reader who then asks the kernel for the
// whole state misses nothing, because what happens after that comes as an event again.
class NetlinkEventReader {
 public:
  // A batch holds at most this many datagrams, and none is begun past this many bytes.
  static constexpr size_t kBatchFrames = 64;
  static constexpr size_t kBatchBytes = 128 * 1024;
  // The longest datagram: NFLOG collects packets up to 128 KiB (NFULNL_NLBUFSIZ_MAX), others stay far below.
  static constexpr size_t kMaxFrame = 128 * 1024;
  static constexpr size_t kBufferBytes = kBatchBytes + kMaxFrame;
  // Netlink aligns to 4 bytes (NLMSG_ALIGNTO), and so do the datagrams of a batch.
  static constexpr size_t kAlignment = 4;

  struct Outcome {
    bool lost = false;  // events were lost, and the buffer is empty now
    int error = 0;      // the errno for which the socket can be read no more
  };

  // Reads what is there into a batch of kBufferBytes and kBatchFrames.
  Outcome read(NetlinkSocket* socket, FrameBatch* batch);

 private:
  bool lossToTell_ = false;
};

}  // namespace weft

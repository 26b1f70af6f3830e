#include "netlink/netlink-event-reader.h"

#include <cerrno>

namespace weft {

NetlinkEventReader::Outcome NetlinkEventReader::read(NetlinkSocket* socket, FrameBatch* batch) {
  Outcome outcome;
  // Attempts are bounded and not only successes: other processes may send datagrams too, which are thrown away.
  for (size_t attempt = 0; attempt < kBatchFrames && batch->used < kBatchBytes; attempt++) {
    ssize_t got = socket->receive(batch->end(), kMaxFrame);
    if (got == -EAGAIN) {
      outcome.lost = lossToTell_;
      lossToTell_ = false;
      break;
    }
    if (got == -ENOBUFS || got == -EMSGSIZE) {
      lossToTell_ = true;
    } else if (got < 0 && got != -ENOMSG) {
      outcome.error = static_cast<int>(-got);
      break;
    } else if (got > 0) {
      batch->add(static_cast<size_t>(got), kAlignment);
    }
  }
  return outcome;
}

}  // namespace weft

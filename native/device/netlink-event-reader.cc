#include "device/netlink-event-reader.h"

#include <cerrno>

namespace weft {

NetlinkEventReader::Batch NetlinkEventReader::read(NetlinkSocket* socket, uint8_t* buffer, int32_t* offsets,
                                                   int32_t* lengths) {
  Batch batch;
  size_t used = 0;
  // Attempts are bounded and not only successes: other processes may send datagrams too, which are thrown away.
  for (size_t attempt = 0; attempt < kBatchDatagrams && used < kBatchBytes; attempt++) {
    ssize_t got = socket->receive(buffer + used, kMaxDatagram);
    if (got == -EAGAIN) {
      batch.lost = lossToTell_;
      lossToTell_ = false;
      break;
    }
    if (got == -ENOBUFS || got == -EMSGSIZE) {
      lossToTell_ = true;
    } else if (got < 0 && got != -ENOMSG) {
      batch.error = static_cast<int>(-got);
      break;
    } else if (got > 0) {
      offsets[batch.count] = static_cast<int32_t>(used);
      lengths[batch.count] = static_cast<int32_t>(got);
      batch.count++;
      // Netlink aligns to 4 bytes, and so do views into the buffer.
      used += (static_cast<size_t>(got) + 3) & ~size_t{3};
    }
  }
  return batch;
}

}  // namespace weft

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/failure.h"
#include "netlink/netlink-socket.h"

namespace weft {

// One send of one or more messages with consecutive sequence numbers, and the collection of every reply until each of
// them is finished (NLMSG_ERROR, which is also the acknowledgement, or NLMSG_DONE).
class NetlinkTransaction {
 public:
  static constexpr size_t kMaxRequest = 256 * 1024;
  static constexpr size_t kMaxReply = 16 * 1024 * 1024;
  static constexpr uint32_t kMaxMessages = 1024;
  static constexpr int64_t kMaxTimeoutMs = 60 * 1000;

  // `request` holds `count` messages with the numbers from `firstSequence` on; it is copied. The time runs from now.
  // `socket` must stay open until run() has returned, and have no other reader.
  NetlinkTransaction(NetlinkSocket* socket, const uint8_t* request, size_t length, uint32_t firstSequence,
                     uint32_t count, int64_t timeoutMs);

  // Blocks until it is done: the kernel holds the routing lock while it works and may make us wait for it.
  Failure run();
  // Every message that answers, each padded to 4 bytes.
  const std::vector<uint8_t>& reply() const { return reply_; }

 private:
  int send();
  int receive();
  int waitFor(short events) const;
  void keepAnswers(const uint8_t* packet, size_t length, uint32_t* finished);

  NetlinkSocket* socket_;
  std::vector<uint8_t> request_;
  uint32_t firstSequence_;
  uint32_t count_;
  int64_t deadlineMs_;
  std::vector<uint8_t> reply_;
};

}  // namespace weft

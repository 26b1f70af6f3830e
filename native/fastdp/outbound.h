#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fastdp/drops.h"
#include "fastdp/forwarding.h"
#include "fastdp/run-sender.h"
#include "fastdp/upward-queue.h"
#include "packet/segmenter.h"

namespace weft {

// From the TUN to the tunnels, for what is plain: packets of our addresses to those of a peer with a session and a direct
// path, no larger than its MTU. All else goes up to the sleeve, which judges it, answers it or lets it wait
// (router/datapath/sleeve/sleeve-outbound.ts). For one thread.
class Outbound {
 public:
  Outbound(Forwarding* forwarding, UpwardQueue* up, Drops* drops, DatagramSink* sink)
      : forwarding_(forwarding), up_(up), drops_(drops), sink_(sink) {}

  // Takes in one frame (virtio header, IP packet) at `now` (ms).
  void handleFrame(uint8_t* frame, size_t length, uint64_t now);
  // Sends what is under way. To be called at the end of each batch.
  void flush();

 private:
  bool route(uint8_t* frame, size_t length, uint64_t now);
  bool sendPacket(Session* session, const IpPacket& ip, const VnetHeader& header);
  bool sendSegments(Session* session, const IpPacket& ip, const VnetHeader& header);
  // The sender for the flow of `ip`, by the port that its flow is pinned to.
  RunSender* senderFor(const Peer& peer, const IpPacket& ip);
  void tellBusy(Peer* peer);

  Forwarding* forwarding_;
  UpwardQueue* up_;
  Drops* drops_;
  DatagramSink* sink_;
  // One for each port, made when it is first used; and bits of those with something under way.
  std::array<std::unique_ptr<RunSender>, kPorts> senders_;
  uint32_t underWay_ = 0;
  Segmenter segmenter_;
};

}  // namespace weft

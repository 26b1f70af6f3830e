#pragma once

#include <cstddef>
#include <cstdint>

#include "fastdp/drops.h"
#include "fastdp/forwarding.h"
#include "fastdp/stranger-limit.h"
#include "fastdp/upward-queue.h"
#include "packet/coalescer.h"

namespace weft {

// From the tunnels to the TUN, for what is plain: packets of a confirmed session that come straight from where its peer
// is known to be, and hold a plain IP packet from one of its addresses to one of ours. Handshakes, and data of sessions that
// are not here, go up to the sleeve as they came, up to a rate; all else that opens goes up opened
// (router/datapath/sleeve/sleeve-inbound.ts). What is none of Weft is counted here. For one thread.
class Inbound {
 public:
  Inbound(Forwarding* forwarding, UpwardQueue* up, Drops* drops, FrameSink* sink, bool coalesceTcp, bool coalesceUdp)
      : forwarding_(forwarding), up_(up), drops_(drops), coalescer_(sink, coalesceTcp, coalesceUdp) {}

  // Takes in datagrams of one sender, one behind the other, of `segment` bytes each (the last may be shorter), that came
  // with `tos` at `now` (ms). They are opened where they lie and must stay there until flush().
  void handleDatagrams(uint32_t family, const Origin& from, uint8_t* bytes, size_t length, size_t segment, uint8_t tos,
                       uint64_t now);
  // Delivers what is held back. To be called at the end of each batch.
  void flush() { coalescer_.flush(); }
  // From now on no more of strangers goes up than the event loop can do with.
  void limitStrangers() {
    unknown_.set(kUnknownAtOnce, kUnknownPerSecond);
    handshakes_.set(kHandshakesAtOnce, kHandshakesPerSecond);
  }
  // From now on packets of that kind are delivered one by one. May be called from within the sink.
  void stopCoalescing(bool udp) { coalescer_.stop(udp); }

 private:
  // A packet in work, with what is known of all its batch.
  struct Datagram {
    uint32_t family;
    const Origin& from;
    uint8_t* bytes;
    size_t length;
    uint8_t tos;
    uint64_t now;
  };

  // How long other ports of a peer's address are taken for its own after its known port was heard: a peer sends from
  // several, but one whose known port is silent may have been given another (router/datapath/sleeve/sleeve-peer.ts).
  static constexpr uint64_t kHeardForMs = 3000;

  // Of data for sessions that are not here the sleeve tells 10 a second.
  static constexpr uint64_t kUnknownAtOnce = 1000;
  static constexpr uint64_t kUnknownPerSecond = 1000;
  // Handshakes of one host, or of all behind its NAT, and of the few that share with it: some peers that begin at once. Where
  // all hosts flood, or one that forges addresses, 1,024 a second. One from where a peer is known to be is always seen to, so
  // that no flood keeps sessions from being renewed.
  static constexpr uint64_t kHandshakesAtOnce = 64;
  static constexpr uint64_t kHandshakesPerSecond = 16;

  void handlePacket(Session* session, const Datagram& packet);
  // Whether a packet that opened comes from where its peer is known to be.
  static bool isHome(Peer* peer, const Datagram& packet);
  // Delivers the IP packet in a packet that opened; false where the sleeve is to judge it.
  bool deliverIp(const Session& session, const Datagram& packet);
  // Leaves what comes from nobody that is known to the sleeve.
  void handleStranger(const Datagram& packet);
  void drop(const Session& session, Drop reason);
  void pushUp(UpwardRecord::Kind kind, const Datagram& packet, uint32_t index, uint32_t value);

  Forwarding* forwarding_;
  UpwardQueue* up_;
  Drops* drops_;
  Coalescer coalescer_;
  StrangerLimit unknown_;
  StrangerLimits handshakes_;
};

}  // namespace weft

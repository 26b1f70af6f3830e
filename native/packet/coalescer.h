#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "packet/ip-packet.h"

namespace weft {

// Where frames for the TUN go: a virtio header and an IP packet, in parts that lie anywhere. Valid during the call only.
class FrameSink {
 public:
  virtual void deliver(const iovec* parts, size_t count) = 0;

 protected:
  ~FrameSink() = default;
};

// A super-packet in the making: packets of one flow that stay where they are. What may join, and why, is said in
// router/packet/coalescing.ts, beside the reference.
class Chain {
 public:
  static constexpr size_t kMaxSegments = 64;

  void begin(const IpPacket& ip, size_t checksumStart, size_t payload);
  // Same family, protocol, addresses and ports.
  bool holdsFlowOf(const IpPacket& ip) const;
  // Appends the packet of this flow if it continues the chain exactly; false leaves the chain as it was.
  bool join(const IpPacket& ip, size_t payload);
  bool closed() const { return closed_; }
  // Completes the headers and hands the frame over.
  void finish(FrameSink* sink);

 private:
  bool continuesIp(const IpPacket& ip) const;
  bool continuesTcp(const IpPacket& ip) const;

  IpPacket first_;  // with the length of all
  std::array<iovec, kMaxSegments> parts_;
  size_t segments_ = 0;
  size_t checksumStart_ = 0;
  size_t gsoSize_ = 0;  // payload of every segment but the last
  uint32_t nextSequence_ = 0;
  bool closed_ = false;
};

// Puts consecutive packets of one flow, as one batch of the network yields them, into super-packets (GRO), so that the
// host's stack is walked once and not forty times. Copies nothing: the packets stay where they were opened until flush().
class Coalescer {
 public:
  // `tcp`, `udp`: whether the kernel takes super-packets of that kind.
  Coalescer(FrameSink* sink, bool tcp, bool udp) : sink_(sink), tcp_(tcp), udp_(udp) {}

  // Takes in one packet; the kVnetHeader bytes before it are overwritten. `checksumStart` is 0 where the transport
  // checksum is complete, else the packet is TCP or UDP and that is its transport offset.
  void add(const IpPacket& ip, size_t checksumStart);
  // Delivers all that is held back. To be called at the end of each batch, before its memory is used again.
  void flush();
  // The kernel takes no super-packets of that kind after all. May be called from within the sink.
  void stop(bool udp) { (udp ? udp_ : tcp_) = false; }

 private:
  static constexpr size_t kMaxChains = 8;

  void close(size_t index);
  void deliverPlain(const IpPacket& ip, size_t checksumStart);

  FrameSink* sink_;
  bool tcp_;
  bool udp_;
  std::array<Chain, kMaxChains> chains_;
  // The open chains, in the order of their first packet, and behind them the spare ones.
  std::array<uint8_t, kMaxChains> order_ = {0, 1, 2, 3, 4, 5, 6, 7};
  size_t open_ = 0;
};

}  // namespace weft

#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "device/tun-device.h"
#include "device/udp-socket.h"
#include "fastdp/lanes.h"
#include "packet/vnet-header.h"

namespace weft {

// What an engine moves packets between, and which super-packets the TUN takes.
struct EngineDevices {
  TunDevice tun;
  std::vector<UdpSocket> sockets;
  // Whether runs may be sent on a socket by one call, beside `sockets`.
  std::vector<bool> segments;
  // Further ports to send from, of either family, which nobody reads: see Peer::ports.
  std::vector<UdpSocket> ports4;
  std::vector<UdpSocket> ports6;
  bool coalesceTcp = false;
  bool coalesceUdp = false;
};

// The fast datapath at work: two threads beside the event loop, one from the TUN to the sockets and one back.
class Engine {
 public:
  Engine(EngineDevices devices, UpwardQueue::Waker* waker);
  // Ends the threads, then closes the devices and wipes all keys.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Begins to move packets, once. 0 or an errno.
  int start();

  // Ends the threads; what they read has gone its way, the rest waits in the kernel. Harmless when repeated.
  void stop();

  Lanes* lanes() { return &lanes_; }

  // Milliseconds of CLOCK_MONOTONIC, as in PeerTallies; never 0.
  static uint64_t now();

 private:
  // The kernel's side of each lane.
  class Datagrams final : public DatagramSink {
   public:
    explicit Datagrams(Engine* engine) : engine_(engine) {}
    void transmit(const SocketAddress& to, const uint8_t* bytes, size_t length, size_t segment, uint8_t tos,
                  size_t port) override;

   private:
    void sendSingly(const UdpSocket& socket, const SocketAddress& to, const uint8_t* bytes, size_t length,
                    size_t segment, uint8_t tos);
    // Sends; waits for a moment where the kernel has no room. As sendUdp answers.
    ssize_t send(const UdpSocket& socket, const SocketAddress& to, const uint8_t* bytes, size_t length, size_t segment,
                 uint8_t tos);
    Engine* engine_;
    // Whether the last one found no room however long it waited. Until there is some again nothing waits for it.
    bool full_ = false;
  };
  class Frames final : public FrameSink {
   public:
    explicit Frames(Engine* engine) : engine_(engine) {}
    void deliver(const iovec* parts, size_t count) override;

   private:
    // How many super-packets of a kind the kernel may refuse as malformed, one after the other, until none are made any
    // more: some kernels grant them, take the first, and refuse them later.
    static constexpr int kRefusals = 3;

    ssize_t write(const iovec* parts, size_t count);
    // Watches what becomes of super-packets.
    void watch(const VnetHeader& header, bool refused);

    Engine* engine_;
    int tcpRefused_ = 0;
    int udpRefused_ = 0;
  };

  void runOutbound();
  void runInbound();
  void tellError(UpwardRecord::Kind kind, int error);

  EngineDevices devices_;
  Datagrams datagrams_{this};
  Frames frames_{this};
  Lanes lanes_;
  Descriptor stop_;  // an eventfd that is readable from the moment on when the threads are to end
  std::vector<pthread_t> threads_;
};

}  // namespace weft

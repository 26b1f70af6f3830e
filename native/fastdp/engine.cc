#include "fastdp/engine.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "device/udp-receive.h"
#include "device/udp-send.h"
#include "fastdp/short-slices.h"
#include "fastdp/wake-policy.h"
#include "packet/checksum.h"
#include "packet/vnet-header.h"

namespace weft {
namespace {

// How long a lane waits for room in a socket's buffer before it drops: longer than the buffer takes to drain on any
// network worth a fast datapath.
constexpr int kSendWaitMs = 20;

Drop sendFault(int error) {
  switch (error) {
    case EMSGSIZE:
      return Drop::kSendTooLarge;
    case ENOBUFS:
      return Drop::kSendNoBuffers;
    case ECONNREFUSED:
      return Drop::kSendRefused;
    case ENETUNREACH:
      return Drop::kSendNetworkUnreachable;
    case EHOSTUNREACH:
      return Drop::kSendHostUnreachable;
    case EPERM:
      return Drop::kSendForbidden;
    case EAGAIN:
      return Drop::kSendQueueFull;
    default:
      return Drop::kSendFailed;
  }
}

// CLOCK_MONOTONIC.
uint64_t clockNs() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<uint64_t>(at.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(at.tv_nsec);
}

// Leaves the processor to others meanwhile; less than a second.
void sleepFor(uint64_t ns) {
  if (ns == 0) return;
  const timespec time = {0, static_cast<long>(ns)};
  ::nanosleep(&time, nullptr);
}

// As in PeerTallies, where 0 means never.
uint64_t milliseconds(uint64_t ns) { return ns / 1'000'000 + 1; }

size_t packetsIn(size_t length, size_t segment) { return (length + segment - 1) / segment; }

// Makes a thread that takes no signals: they are Node's.
template <class Body>
int startThread(const char* name, Body* body, void* (*run)(void*), pthread_t* out) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failed = pthread_create(out, nullptr, run, body);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed == 0) pthread_setname_np(*out, name);
  return failed;
}

}  // namespace

Engine::Engine(EngineDevices devices, UpwardQueue::Waker* waker)
    : devices_(std::move(devices)),
      lanes_(&datagrams_, &frames_, waker, devices_.coalesceTcp && devices_.tun.vnetHeader(),
             devices_.coalesceUdp && devices_.tun.vnetHeader()),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  lanes_.inbound.limitStrangers();
}

Engine::~Engine() { stop(); }

int Engine::start() {
  if (!stop_.valid()) return EMFILE;
  pthread_t thread{};
  auto out = [](void* self) -> void* {
    askForShortSlices();
    static_cast<Engine*>(self)->runOutbound();
    return nullptr;
  };
  auto in = [](void* self) -> void* {
    askForShortSlices();
    static_cast<Engine*>(self)->runInbound();
    return nullptr;
  };
  if (int failed = startThread("weft:out", this, out, &thread)) return failed;
  threads_.push_back(thread);
  if (int failed = startThread("weft:in", this, in, &thread)) return failed;
  threads_.push_back(thread);
  return 0;
}

void Engine::stop() {
  if (stop_.valid()) eventfd_write(stop_.get(), 1);
  for (pthread_t thread : threads_) pthread_join(thread, nullptr);
  threads_.clear();
}

uint64_t Engine::now() { return milliseconds(clockNs()); }

void Engine::runOutbound() {
  if (!devices_.tun.valid()) return;
  // Without a virtio header frames get an empty one, so that there is one form of them.
  const size_t before = devices_.tun.vnetHeader() ? 0 : kVnetHeader;
  auto buffer = std::make_unique_for_overwrite<uint8_t[]>(before + TunDevice::kMaxFrame);
  pollfd polls[2] = {{devices_.tun.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  bool more = false;
  WakePolicy policy;
  for (;;) {
    if (::poll(polls, 2, more ? 0 : -1) < 0 && errno != EINTR) return tellError(UpwardRecord::kTunError, errno);
    if ((polls[1].revents & POLLIN) != 0) return;
    const uint64_t wokeAt = clockNs();
    size_t bytes = 0;
    size_t frames = 0;
    int error = 0;
    {
      Gate::Batch batch(&lanes_.gate, Gate::kOutbound);
      ssize_t got = 0;
      while (frames < TunDevice::kBatchFrames && bytes < TunDevice::kBatchBytes) {
        got = ::read(devices_.tun.fd(), buffer.get() + before, TunDevice::kMaxFrame);
        if (got <= 0) break;
        std::fill_n(buffer.get(), before, static_cast<uint8_t>(0));
        lanes_.outbound.handleFrame(buffer.get(), before + static_cast<size_t>(got), milliseconds(wokeAt));
        bytes += static_cast<size_t>(got);
        frames++;
      }
      error = got < 0 ? errno : 0;
      more = got > 0;
      lanes_.outbound.flush();
    }
    const uint64_t pause = policy.woke(wokeAt, frames, bytes);
    if (error != 0 && error != EAGAIN && error != EINTR) return tellError(UpwardRecord::kTunError, error);
    if (!more) sleepFor(pause);
  }
}

void Engine::runInbound() {
  auto buffer = std::make_unique_for_overwrite<uint8_t[]>(UdpBatch::kBufferBytes);
  auto words = std::make_unique_for_overwrite<uint32_t[]>(UdpBatch::kMessages * UdpBatch::kWords);
  std::vector<pollfd> polls;
  for (const UdpSocket& socket : devices_.sockets) polls.push_back({socket.fd(), POLLIN, 0});
  polls.push_back({stop_.get(), POLLIN, 0});
  WakePolicy policy;
  for (;;) {
    if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) return tellError(UpwardRecord::kSocketError, errno);
    if ((polls.back().revents & POLLIN) != 0) return;
    uint64_t pause = 0;
    for (size_t i = 0; i < devices_.sockets.size(); i++) {
      if (polls[i].revents == 0) continue;
      const UdpSocket& socket = devices_.sockets[i];
      Gate::Batch inside(&lanes_.gate, Gate::kInbound);
      const UdpBatch batch = receiveUdp(socket, buffer.get(), words.get());
      const uint64_t wokeAt = clockNs();
      size_t bytesRead = 0;
      for (int message = 0; message < batch.count; message++) {
        const uint32_t* told = words.get() + message * UdpBatch::kWords;
        uint8_t* bytes = buffer.get() + static_cast<size_t>(message) * UdpBatch::kSlotBytes;
        Origin from;
        std::copy_n(told + 2, 5, from.words);
        const size_t length = told[0];
        bytesRead += length;
        const size_t segment = told[1] == 0 ? length : told[1];
        lanes_.inbound.handleDatagrams(socket.family() == AF_INET ? 4 : 6, from, bytes, length, segment,
                                 static_cast<uint8_t>(told[7]), milliseconds(wokeAt));
      }
      lanes_.inbound.flush();
      const uint64_t wanted = policy.woke(wokeAt, static_cast<size_t>(batch.count), bytesRead);
      pause = std::max(pause, batch.count == UdpBatch::kMessages ? 0 : wanted);
      if (batch.error != 0) lanes_.drops.add(Drop::kSocketError);
    }
    sleepFor(pause);
  }
}

void Engine::tellError(UpwardRecord::Kind kind, int error) {
  UpwardRecord record;
  record.kind = kind;
  record.value = static_cast<uint32_t>(error);
  lanes_.upward.push(record, nullptr, 0);
}

void Engine::Datagrams::transmit(const SocketAddress& to, const uint8_t* bytes, size_t length, size_t segment,
                                 uint8_t tos, size_t port) {
  EngineDevices& devices = engine_->devices_;
  size_t index = 0;
  while (index < devices.sockets.size() && devices.sockets[index].family() != to.family()) index++;
  const size_t packets = packetsIn(length, segment);
  if (index == devices.sockets.size()) return engine_->lanes_.drops.add(Drop::kNoSocket, packets);
  const std::vector<UdpSocket>& ports = to.family() == AF_INET ? devices.ports4 : devices.ports6;
  const UdpSocket& socket = port > 0 && port <= ports.size() ? ports[port - 1] : devices.sockets[index];
  if (packets > 1 && !devices.segments[index]) return sendSingly(socket, to, bytes, length, segment, tos);
  const ssize_t sent = send(socket, to, bytes, length, segment, tos);
  if (sent >= 0) return;
  const int error = static_cast<int>(-sent);
  if (packets == 1 || error == EAGAIN) return engine_->lanes_.drops.add(sendFault(error), packets);
  // A run that was refused may hold datagrams that are not; a device without checksums refuses all runs.
  if (error == EIO) {
    devices.segments[index] = false;
    engine_->lanes_.drops.add(Drop::kSegmentsOff);
  }
  sendSingly(socket, to, bytes, length, segment, tos);
}

void Engine::Datagrams::sendSingly(const UdpSocket& socket, const SocketAddress& to, const uint8_t* bytes,
                                   size_t length, size_t segment, uint8_t tos) {
  for (size_t at = 0; at < length; at += segment) {
    const size_t one = std::min(segment, length - at);
    const ssize_t sent = send(socket, to, bytes + at, one, one, tos);
    if (sent < 0) engine_->lanes_.drops.add(sendFault(static_cast<int>(-sent)));
  }
}

ssize_t Engine::Datagrams::send(const UdpSocket& socket, const SocketAddress& to, const uint8_t* bytes, size_t length,
                                size_t segment, uint8_t tos) {
  ssize_t sent = sendUdp(socket, to, bytes, length, static_cast<uint16_t>(segment), tos);
  if (sent == -EAGAIN && !full_) {
    pollfd room = {socket.fd(), POLLOUT, 0};
    ::poll(&room, 1, kSendWaitMs);
    sent = sendUdp(socket, to, bytes, length, static_cast<uint16_t>(segment), tos);
  }
  full_ = sent == -EAGAIN;
  return sent;
}

void Engine::Frames::deliver(const iovec* parts, size_t count) {
  const VnetHeader header = VnetHeader::read(static_cast<const uint8_t*>(parts[0].iov_base));
  const ssize_t wrote = write(parts, count);
  if (header.gsoType != kGsoNone) watch(header, wrote == -EINVAL);
  if (wrote < 0) engine_->lanes_.drops.add(wrote == -EINVAL ? Drop::kTunInvalid : Drop::kTunWriteFailed);
}

// Bytes, or −errno.
ssize_t Engine::Frames::write(const iovec* parts, size_t count) {
  const TunDevice& tun = engine_->devices_.tun;
  if (tun.vnetHeader()) {
    ssize_t wrote = -1;
    do {
      wrote = ::writev(tun.fd(), parts, static_cast<int>(count));
    } while (wrote < 0 && errno == EINTR);
    return wrote < 0 ? -errno : wrote;
  }
  // One part, for nothing is coalesced then. A TUN without offloads takes no partial checksums either.
  auto* frame = static_cast<uint8_t*>(parts[0].iov_base);
  const VnetHeader header = VnetHeader::read(frame);
  IpPacket ip;
  const bool partial = (header.flags & kVnetNeedsChecksum) != 0;
  if (partial && IpPacket::readPlain(frame + kVnetHeader, parts[0].iov_len - kVnetHeader, &ip)) {
    completeChecksum(ip.bytes + ip.transport, ip.length - ip.transport, ip.checksumOffset(), ip.protocol);
  }
  return tun.write(frame + kVnetHeader, parts[0].iov_len - kVnetHeader);
}

void Engine::Frames::watch(const VnetHeader& header, bool refused) {
  const bool udp = header.gsoType == kGsoUdp;
  int& refusals = udp ? udpRefused_ : tcpRefused_;
  refusals = refused ? refusals + 1 : 0;
  if (refusals < kRefusals) return;
  engine_->lanes_.inbound.stopCoalescing(udp);
  engine_->lanes_.drops.add(udp ? Drop::kTunUdpSegmentsOff : Drop::kTunTcpSegmentsOff);
}

}  // namespace weft

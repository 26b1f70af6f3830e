// Both lanes of the fast datapath on threads of their own, while a third changes all that they look up: sessions come,
// are used and go, paths, sizes and routes change, counters are read, records are taken. Built with ThreadSanitizer and run
// by tools/test-sanitized. Prints what was carried; ends with 1 where nothing was, or what came out was not sealed.
#include <sys/uio.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "fastdp/lanes.h"
#include "packet/checksum.h"
#include "packet/data-packet.h"

namespace {

using namespace weft;

constexpr uint32_t kPeer = 3;
constexpr size_t kPayload = 1000;
constexpr auto kRunFor = std::chrono::seconds(3);

struct NoWaker final : UpwardQueue::Waker {
  void wake() override {}
};
struct Datagrams final : DatagramSink {
  std::atomic<uint64_t> count{0};
  std::atomic<uint64_t> clear{0};
  void transmit(const SocketAddress&, const uint8_t* bytes, size_t length, size_t segment, uint8_t, size_t) override {
    for (size_t at = 0; at < length; at += segment) {
      count.fetch_add(1);
      // The version and the source, as they stand in a packet that is not sealed.
      const uint8_t source[4] = {10, 1, 0, 1};
      const uint8_t* inner = bytes + at + kBodyOffset;
      if (inner[0] == 0x45 && std::memcmp(inner + 12, source, sizeof source) == 0) clear.fetch_add(1);
    }
  }
};
struct Frames final : FrameSink {
  std::atomic<uint64_t> count{0};
  void deliver(const iovec*, size_t) override { count.fetch_add(1); }
};

// A TCP packet of 10.1.0.1 to 10.2.0.1, or back, with a partial checksum.
std::vector<uint8_t> packet(bool outgoing) {
  std::vector<uint8_t> bytes(40 + kPayload);
  bytes[0] = 0x45;
  writeBig16(&bytes[2], static_cast<uint32_t>(bytes.size()));
  bytes[6] = 0x40;
  bytes[8] = 64;
  bytes[9] = kProtocolTcp;
  const uint8_t mine[4] = {10, 1, 0, 1};
  const uint8_t theirs[4] = {10, 2, 0, 1};
  std::memcpy(&bytes[12], outgoing ? mine : theirs, 4);
  std::memcpy(&bytes[16], outgoing ? theirs : mine, 4);
  bytes[32] = 5 << 4;
  bytes[33] = 0x10;
  writeIpv4Checksum(bytes.data(), 20);
  return bytes;
}

void makeKey(uint32_t index, uint8_t* key) {
  std::memset(key, 0, AeadKey::kKeyBytes);
  std::memcpy(key, &index, sizeof index);
}

std::unique_ptr<Session> makeSession(Forwarding* forwarding, uint32_t index) {
  auto session = std::make_unique<Session>();
  uint8_t key[AeadKey::kKeyBytes];
  makeKey(index, key);
  if (!AeadKey::open(Cipher::kChaCha20Poly1305, key, &session->sendKey)) return nullptr;
  if (!AeadKey::open(Cipher::kChaCha20Poly1305, key, &session->receiveKey)) return nullptr;
  session->localIndex = session->remoteIndex = index;
  session->limits = {1000, 1u << 20, 1u << 30};
  session->confirmed = true;
  session->peer = forwarding->peer(kPeer);
  return session;
}

void setRoutes(Forwarding* forwarding, uint32_t last) {
  const uint32_t spans[] = {0x0a010000, 0x0a01ffff, 0, 0x0a020000, last, 1};
  const uint32_t owners[] = {1, kPeer};
  forwarding->setRoutes(spans, 6, nullptr, 0, owners, 2, 0);
}

}  // namespace

int main() {
  NoWaker waker;
  Datagrams datagrams;
  Frames frames;
  Lanes lanes(&datagrams, &frames, &waker, true, true);
  std::atomic<bool> ended{false};
  std::atomic<uint32_t> current{1};
  Origin origin;
  origin.words[0] = 6783;

  std::thread outbound([&] {
    const std::vector<uint8_t> ip = packet(true);
    std::vector<uint8_t> frame(kVnetHeader + ip.size());
    while (!ended.load()) {
      Gate::Batch batch(&lanes.gate, Gate::kOutbound);
      for (int i = 0; i < 20; i++) {
        VnetHeader::plain(20, kTcpChecksum).write(frame.data());
        std::memcpy(frame.data() + kVnetHeader, ip.data(), ip.size());
        lanes.outbound.handleFrame(frame.data(), frame.size(), 1);
      }
      lanes.outbound.flush();
    }
  });
  std::thread inbound([&] {
    const std::vector<uint8_t> ip = packet(false);
    std::vector<uint8_t> sealed(kDataOverhead + ip.size());
    uint64_t counter = 0;
    uint8_t key[AeadKey::kKeyBytes];
    while (!ended.load()) {
      const uint32_t index = current.load();
      makeKey(index, key);
      AeadKey sealer;
      if (!AeadKey::open(Cipher::kChaCha20Poly1305, key, &sealer)) return;
      Gate::Batch batch(&lanes.gate, Gate::kInbound);
      for (int i = 0; i < 20; i++, counter++) {
        writeOuterHeader(sealed.data(), index, counter);
        writeInnerHeader(sealed.data() + kOuterHeader, 0, 20, kTcpChecksum);
        std::memcpy(sealed.data() + kBodyOffset, ip.data(), ip.size());
        const Nonce nonce(counter);
        sealer.seal(nonce.bytes, sealed.data(), kOuterHeader, sealed.data() + kOuterHeader, kInnerHeader + ip.size());
        lanes.inbound.handleDatagrams(4, origin, sealed.data(), sealed.size(), sealed.size(), 0, 1);
        lanes.inbound.flush();
      }
    }
  });

  std::vector<uint32_t> words(256 * UpwardQueue::kWords);
  std::vector<uint8_t> room(256 * 1024);
  const auto until = std::chrono::steady_clock::now() + kRunFor;
  uint32_t index = 0;
  uint64_t seen = 0;
  while (std::chrono::steady_clock::now() < until) {
    index++;
    {
      Gate::Change change(&lanes.gate);
      setRoutes(&lanes.forwarding, index % 16 == 0 ? 0x0a020000 : 0x0a02ffff);
      lanes.forwarding.add(makeSession(&lanes.forwarding, index));
      Peer* peer = lanes.forwarding.peer(kPeer);
      peer->to.v4 = {};
      peer->to.v4.sin_family = AF_INET;
      lanes.forwarding.place(peer, index % 8 != 0, origin);
      peer->mtu = 1400 + index % 16;
      peer->current = lanes.forwarding.session(index);
    }
    current.store(index);
    for (int i = 0; i < 20; i++) {
      uint64_t counter = 0;
      if (Session* session = lanes.forwarding.session(index)) session->reserve(1, &counter);
      const PeerTallies& tallies = lanes.forwarding.knownPeer(kPeer)->tallies;
      seen += tallies.sentPackets.value() + tallies.receivedPackets.value() + lanes.drops.take()[0];
      while (lanes.upward.take(words.data(), 256, room.data(), room.size()) > 0) continue;
      Gate::Change change(&lanes.gate, Gate::kInbound, Gate::kInbound);
      if (Session* session = lanes.forwarding.session(index)) session->window.check(counter);
    }
    Gate::Change change(&lanes.gate);
    if (index > 2) lanes.forwarding.remove(index - 2);
  }
  ended.store(true);
  outbound.join();
  inbound.join();
  std::printf("%u changes, %llu datagrams out, %llu frames in\n", index,
              static_cast<unsigned long long>(datagrams.count.load()), static_cast<unsigned long long>(frames.count.load()));
  const bool carried = datagrams.count.load() > 1000 && frames.count.load() > 1000 && index > 20 && seen > 0;
  return carried && datagrams.clear.load() == 0 ? 0 : 1;
}

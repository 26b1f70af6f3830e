// libFuzzer: both lanes of the fast datapath. Input: pieces, each behind its length (2 bytes) and a byte that says what it
// is: a frame of the TUN, a message from the network as it is, or a plaintext that a peer seals. Whatever comes, the lanes
// must bear it; nothing that they take from strangers may come out.
#include "fastdp/lanes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "packet/data-packet.h"

namespace {

using namespace weft;

constexpr uint32_t kPeer = 3;
constexpr uint32_t kIndex = 5;
constexpr uint8_t kKey[AeadKey::kKeyBytes] = {1, 2, 3};

void require(bool holds) {
  if (!holds) std::abort();
}

struct NoWaker final : UpwardQueue::Waker {
  void wake() override {}
};
struct Datagrams final : DatagramSink {
  size_t count = 0;
  void transmit(const SocketAddress&, const uint8_t* bytes, size_t length, size_t segment, uint8_t, size_t) override {
    require(segment > 0 && segment <= length && length <= kMaxOuterLength);
    for (size_t at = 0; at < length; at += segment, count++)
      require(isDataPacket(bytes + at, std::min(segment, length - at)) && receiverIndexOf(bytes + at) == kIndex);
  }
};
struct Frames final : FrameSink {
  bool allowed = false;
  void deliver(const iovec* parts, size_t count) override {
    require(allowed && count > 0 && parts[0].iov_len > kVnetHeader);
  }
};

struct Host {
  NoWaker waker;
  Datagrams datagrams;
  Frames frames;
  Lanes lanes{&datagrams, &frames, &waker, true, true};
  AeadKey sealer;
  uint64_t counter = 0;
  std::vector<uint32_t> words = std::vector<uint32_t>(256 * UpwardQueue::kWords);
  std::vector<uint8_t> room = std::vector<uint8_t>(256 * 1024);

  Host() {
    const uint32_t spans4[] = {0x0a200000, 0x0a20ffff, 0, 0x0a210000, 0x0a21ffff, 1};
    const uint32_t spans6[] = {0xfd000000, 0, 0, 0, 0xfd000000, ~0u, ~0u, ~0u, 0,
                               0xfd000001, 0, 0, 0, 0xfd000001, ~0u, ~0u, ~0u, 1};
    const uint32_t owners[] = {1, kPeer};
    lanes.forwarding.setRoutes(spans4, 6, spans6, 18, owners, 2, 0);
    Peer* peer = lanes.forwarding.peer(kPeer);
    peer->direct = true;
    peer->to.v4 = {};
    peer->to.v4.sin_family = AF_INET;
    peer->mtu = 1400;
    auto session = std::make_unique<Session>();
    require(AeadKey::open(Cipher::kChaCha20Poly1305, kKey, &session->sendKey));
    require(AeadKey::open(Cipher::kChaCha20Poly1305, kKey, &session->receiveKey));
    require(AeadKey::open(Cipher::kChaCha20Poly1305, kKey, &sealer));
    session->localIndex = session->remoteIndex = kIndex;
    session->limits = {1ull << 40, 1ull << 50, 1ull << 40};
    session->confirmed = session->peerTakesMarks = true;
    session->peer = peer;
    lanes.forwarding.add(std::move(session));
    peer->current = lanes.forwarding.session(kIndex);
  }

  void frame(std::vector<uint8_t> bytes) {
    lanes.outbound.handleFrame(bytes.data(), bytes.size(), 1);
    lanes.outbound.flush();
  }
  // `how`: its segment's size, in units of 64 bytes, 0: one datagram.
  void message(std::vector<uint8_t> bytes, uint8_t how) {
    frames.allowed = false;
    const size_t segment = how == 0 ? bytes.size() : 64u * how;
    lanes.inbound.handleDatagrams(4, {}, bytes.data(), bytes.size(), segment, how, 1);
    lanes.inbound.flush();
  }
  void sealed(const uint8_t* text, size_t length, uint8_t tos) {
    std::vector<uint8_t> packet(kOuterHeader + length + kTag);
    writeOuterHeader(packet.data(), kIndex, counter);
    std::copy_n(text, length, packet.data() + kOuterHeader);
    const Nonce nonce(counter++);
    require(sealer.seal(nonce.bytes, packet.data(), kOuterHeader, packet.data() + kOuterHeader, length));
    frames.allowed = true;
    lanes.inbound.handleDatagrams(4, {}, packet.data(), packet.size(), packet.size(), tos, 1);
    lanes.inbound.flush();
  }
  void empty() {
    while (lanes.upward.take(words.data(), 256, room.data(), room.size()) > 0) continue;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length) {
  static Host host;
  for (size_t at = 0; at + 4 <= length;) {
    const size_t count = std::min<size_t>(readLittle<uint16_t>(bytes + at), length - at - 4);
    const uint8_t kind = bytes[at + 2];
    const uint8_t how = bytes[at + 3];
    const uint8_t* piece = bytes + at + 4;
    at += 4 + count;
    if (kind % 3 == 0) host.frame({piece, piece + count});
    else if (kind % 3 == 1 && count > 0) host.message({piece, piece + count}, how);
    else if (kind % 3 == 2 && count >= kInnerHeader && count <= 65'000) host.sealed(piece, count, how);
    host.empty();
  }
  return 0;
}

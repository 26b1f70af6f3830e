// Binds peers and routes of the fast datapath, and what it counts.
#include <algorithm>

#include "binding/fastdp/fastdp.h"
#include "binding/values.h"

namespace weft {
namespace {

// fastSetPeer(handle, number, address bytes or none, port, mtu): without an address there is no direct path
napi_value fastSetPeer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t peerNumber = 0;
  const uint8_t* address = nullptr;
  size_t length = 0;
  int64_t port = 0;
  int64_t mtu = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &peerNumber) ||
      !arguments.bytes(2, &address, &length) || !arguments.integer(3, 0, 65535, &port) ||
      !arguments.integer(4, 0, 65535, &mtu)) {
    return nullptr;
  }
  SocketAddress to(length == 4 ? AF_INET : AF_INET6, address, length, static_cast<uint16_t>(port));
  if (length != 0 && (!to.valid() || port == 0)) return throwWrong(env, "an address of 4 or 16 bytes and a port are wanted");
  Gate::Change change(&lanes->gate);
  Peer* peer = lanes->forwarding.peer(static_cast<uint32_t>(peerNumber));
  peer->mtu = static_cast<size_t>(mtu);
  Origin origin;
  if (length != 0) origin.words[0] = static_cast<uint32_t>(port);
  for (size_t word = 0; word < length / 4; word++) {
    const uint8_t* at = address + 4 * word;
    origin.words[1 + word] = static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1] << 16 | at[2] << 8 | at[3]);
  }
  const bool direct = length != 0;
  if (direct == peer->direct && origin == peer->origin && (!direct || to.family() == peer->to.family())) return undefined(env);
  lanes->forwarding.place(peer, direct, origin);
  peer->ports = 0;
  peer->toldBusy = false;
  peer->heardAt = Engine::now();
  if (direct) peer->to = to;
  return undefined(env);
}

// fastSetPorts(handle, number, ports, tellAgain 0|1): bits of the further ports that reach the peer, see Peer::ports; and
// whether it is told anew when much goes there
napi_value fastSetPorts(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t peerNumber = 0;
  int64_t ports = 0;
  int64_t tellAgain = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &peerNumber) ||
      !arguments.integer(2, 0, (1 << kPorts) - 1, &ports) || !arguments.integer(3, 0, 1, &tellAgain)) {
    return nullptr;
  }
  Gate::Change change(&lanes->gate, Gate::kOutbound, Gate::kOutbound);
  Peer* peer = lanes->forwarding.knownPeer(static_cast<uint32_t>(peerNumber));
  if (peer == nullptr) return undefined(env);
  peer->ports = static_cast<uint32_t>(ports);
  if (tellAgain == 1) peer->toldBusy = false;
  return undefined(env);
}

// fastForgetPeer(handle, number): no session and no route refers to it
napi_value fastForgetPeer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t peerNumber = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &peerNumber)) return nullptr;
  Gate::Change change(&lanes->gate);
  lanes->forwarding.forgetPeer(static_cast<uint32_t>(peerNumber));
  return undefined(env);
}

// fastSetRoutes(handle, words4, words6, owners, self): bytes of 32-bit words, see RouteTable; owners are numbers of peers;
// self the index of ourselves among them, or −1
napi_value fastSetRoutes(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  const uint8_t* bytes[3] = {};
  size_t lengths[3] = {};
  int64_t self = 0;
  for (size_t i = 0; i < 3; i++) {
    if (lanes == nullptr || !arguments.bytes(1 + i, &bytes[i], &lengths[i])) return nullptr;
    if (lengths[i] % 4 != 0 || reinterpret_cast<uintptr_t>(bytes[i]) % 4 != 0) return throwWrong(env, "32-bit words are wanted");
  }
  if (!arguments.integer(4, -1, UINT32_MAX, &self)) return nullptr;
  const auto words = [&](size_t i) { return reinterpret_cast<const uint32_t*>(bytes[i]); };
  Gate::Change change(&lanes->gate);
  lanes->forwarding.setRoutes(words(0), lengths[0] / 4, words(1), lengths[1] / 4, words(2), lengths[2] / 4, self);
  return undefined(env);
}

// fastTallies(handle, number) → bytes of 10 doubles, in the order of PeerTallies; times are ages in ms, −1: never.
// Undefined where there is no such peer.
napi_value fastTallies(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t peerNumber = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &peerNumber)) return nullptr;
  const Peer* peer = lanes->forwarding.knownPeer(static_cast<uint32_t>(peerNumber));
  if (peer == nullptr) return undefined(env);
  const PeerTallies& of = peer->tallies;
  const uint64_t now = Engine::now();
  const auto age = [now](const Tally& at) {
    // The lane may have set it after we looked at the clock.
    return at.value() == 0 ? -1.0 : static_cast<double>(now - std::min(now, at.value()));
  };
  const auto value = [](const Tally& tally) { return static_cast<double>(tally.value()); };
  const double values[] = {value(of.sentPackets),     value(of.sentBytes),     value(of.sentIpBytes),
                           age(of.lastSentAt),        value(of.receivedPackets), value(of.receivedBytes),
                           value(of.receivedIpBytes), age(of.lastReceivedAt),  value(of.droppedIn),
                           value(of.droppedOut)};
  return bytesValue(env, values, sizeof values);
}

// fastDrops(handle) → bytes of doubles, in the order of Drop: what was counted since the last time
napi_value fastDrops(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  if (lanes == nullptr) return nullptr;
  const auto taken = lanes->drops.take();
  double values[Drops::kKinds];
  std::copy(taken.begin(), taken.end(), values);
  return bytesValue(env, values, sizeof values);
}

}  // namespace

void bindFastdpChanges(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"fastSetPeer", fastSetPeer},
                              {"fastForgetPeer", fastForgetPeer},
                              {"fastSetPorts", fastSetPorts},
                              {"fastSetRoutes", fastSetRoutes},
                              {"fastTallies", fastTallies},
                              {"fastDrops", fastDrops}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

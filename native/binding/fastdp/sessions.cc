// Binds the sessions of the fast datapath, and what the sleeve shares with it of each: counters and replay window.
#include <cstring>
#include <memory>
#include <utility>

#include "aead/openssl.h"
#include "binding/fastdp/fastdp.h"
#include "binding/parts.h"
#include "binding/values.h"

namespace weft {
namespace {

// fastInstall(handle, peer number, local index, remote index, flags, keys, limits)
// flags: 1 AES-256-GCM, 2 the peer takes marks. keys: 32 bytes to send with, 32 to receive with. limits: rekey after, stop
// after, failed opens, 8 bytes each in little endian.
napi_value fastInstall(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t peerNumber = 0;
  int64_t localIndex = 0;
  int64_t remoteIndex = 0;
  int64_t flags = 0;
  const uint8_t* keys = nullptr;
  size_t keyBytes = 0;
  const uint8_t* limits = nullptr;
  size_t limitBytes = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &peerNumber) ||
      !arguments.integer(2, 1, UINT32_MAX, &localIndex) || !arguments.integer(3, 0, UINT32_MAX, &remoteIndex) ||
      !arguments.integer(4, 0, 3, &flags) || !arguments.bytes(5, &keys, &keyBytes) ||
      !arguments.bytes(6, &limits, &limitBytes)) {
    return nullptr;
  }
  auto session = std::make_unique<Session>();
  const Cipher cipher = (flags & 1) != 0 ? Cipher::kAes256Gcm : Cipher::kChaCha20Poly1305;
  if (keyBytes != 2 * AeadKey::kKeyBytes || limitBytes != 24 || !hasOpenssl() ||
      !AeadKey::open(cipher, keys, &session->sendKey) ||
      !AeadKey::open(cipher, keys + AeadKey::kKeyBytes, &session->receiveKey)) {
    return throwWrong(env, "OpenSSL takes no such keys");
  }
  session->localIndex = static_cast<uint32_t>(localIndex);
  session->remoteIndex = static_cast<uint32_t>(remoteIndex);
  session->peerTakesMarks = (flags & 2) != 0;
  session->limits = {readLittle<uint64_t>(limits), readLittle<uint64_t>(limits + 8), readLittle<uint64_t>(limits + 16)};
  Gate::Change change(&lanes->gate);
  session->peer = lanes->forwarding.peer(static_cast<uint32_t>(peerNumber));
  lanes->forwarding.add(std::move(session));
  return undefined(env);
}

// fastReplayWindow(handle, local index) → bytes of its replay window, or undefined where there is no such session
napi_value fastReplayWindow(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex)) return nullptr;
  uint32_t words[ReplayWindow::kWords];
  Gate::Change change(&lanes->gate, Gate::kInbound, Gate::kInbound);
  const Session* session = lanes->forwarding.session(static_cast<uint32_t>(localIndex));
  if (session == nullptr) return undefined(env);
  session->window.save(words);
  return bytesValue(env, words, sizeof words);
}

// fastResume(handle, local index, sent, failed opens, bytes of the replay window): a session that was just installed goes on
// where another process ended with it
napi_value fastResume(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  int64_t sent = 0;
  int64_t failedOpens = 0;
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex) ||
      !arguments.integer(2, 0, (int64_t{1} << 53) - 1, &sent) ||
      !arguments.integer(3, 0, (int64_t{1} << 53) - 1, &failedOpens) || !arguments.bytes(4, &bytes, &length)) {
    return nullptr;
  }
  uint32_t words[ReplayWindow::kWords];
  if (length != sizeof words) return throwWrong(env, "a replay window is wanted");
  std::memcpy(words, bytes, sizeof words);
  Gate::Change change(&lanes->gate);
  Session* session = lanes->forwarding.session(static_cast<uint32_t>(localIndex));
  if (session == nullptr) return undefined(env);
  session->sent.store(static_cast<uint64_t>(sent), std::memory_order_relaxed);
  session->failedOpens.store(static_cast<uint64_t>(failedOpens), std::memory_order_relaxed);
  session->window.restore(words);
  return undefined(env);
}

enum class SessionCall { kUse, kConfirm, kRemove };

template <SessionCall kCall>
napi_value changeSession(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex)) return nullptr;
  Gate::Change change(&lanes->gate);
  const auto index = static_cast<uint32_t>(localIndex);
  Session* session = lanes->forwarding.session(index);
  if (session == nullptr) return undefined(env);
  if constexpr (kCall == SessionCall::kUse) session->peer->current = session;
  if constexpr (kCall == SessionCall::kConfirm) session->confirmed = true;
  if constexpr (kCall == SessionCall::kRemove) lanes->forwarding.remove(index);
  return undefined(env);
}

// fastReserve(handle, local index) → the next counter to seal with, or −1
napi_value fastReserve(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex)) return nullptr;
  // Sessions come and go on this thread alone, and the counter is made for several.
  Session* session = lanes->forwarding.session(static_cast<uint32_t>(localIndex));
  uint64_t counter = 0;
  const bool reserved = session != nullptr && session->reserve(1, &counter);
  return number(env, reserved ? static_cast<double>(counter) : -1);
}

// fastWindow(handle, local index, counter, take 0|1) → 0: seen or too old, 1: older than the newest, 2: newer. With
// `take` it is seen from now on.
napi_value fastWindow(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  int64_t counter = 0;
  int64_t take = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex) ||
      !arguments.integer(2, 0, (int64_t{1} << 53) - 1, &counter) || !arguments.integer(3, 0, 1, &take)) {
    return nullptr;
  }
  Gate::Change change(&lanes->gate, Gate::kInbound, Gate::kInbound);
  Session* session = lanes->forwarding.session(static_cast<uint32_t>(localIndex));
  if (session == nullptr) return number(env, 0);
  const auto at = static_cast<uint64_t>(counter);
  const bool newest = at >= session->window.next();
  const bool fresh = take == 1 ? session->window.accept(at) : session->window.check(at);
  return number(env, !fresh ? 0 : newest ? 2 : 1);
}

// fastFailedOpens(handle, local index, more) → failed opens of the session, `more` of them counted now
napi_value fastFailedOpens(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  int64_t more = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex) || !arguments.integer(2, 0, 1, &more)) {
    return nullptr;
  }
  Session* session = lanes->forwarding.session(static_cast<uint32_t>(localIndex));
  if (session == nullptr) return number(env, 0);
  const uint64_t before = session->failedOpens.fetch_add(static_cast<uint64_t>(more), std::memory_order_relaxed);
  return number(env, static_cast<double>(before + static_cast<uint64_t>(more)));
}

// fastUsed(handle, local index, of what 0 sent|1 received) → one above the highest counter used, 0 where there is none
napi_value fastUsed(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Lanes* lanes = lanesOf(env, arguments);
  int64_t localIndex = 0;
  int64_t received = 0;
  if (lanes == nullptr || !arguments.integer(1, 0, UINT32_MAX, &localIndex) || !arguments.integer(2, 0, 1, &received)) {
    return nullptr;
  }
  Session* session = lanes->forwarding.session(static_cast<uint32_t>(localIndex));
  if (session == nullptr) return number(env, 0);
  if (received == 0) return number(env, static_cast<double>(session->sent.load(std::memory_order_relaxed)));
  Gate::Change change(&lanes->gate, Gate::kInbound, Gate::kInbound);
  return number(env, static_cast<double>(session->window.next()));
}

}  // namespace

void bindFastdpSessions(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"fastInstall", fastInstall},
                              {"fastReplayWindow", fastReplayWindow},
                              {"fastResume", fastResume},
                              {"fastUse", changeSession<SessionCall::kUse>},
                              {"fastConfirm", changeSession<SessionCall::kConfirm>},
                              {"fastRemove", changeSession<SessionCall::kRemove>},
                              {"fastReserve", fastReserve},
                              {"fastWindow", fastWindow},
                              {"fastFailedOpens", fastFailedOpens},
                              {"fastUsed", fastUsed}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

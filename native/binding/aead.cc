// Binds keys that seal and open runs of packets.
#include <utility>

#include "aead/aead-key.h"
#include "aead/aes-hardware.h"
#include "aead/openssl.h"
#include "aead/packet-run.h"
#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/parts.h"
#include "binding/values.h"

namespace weft {
namespace {

class HeldKey final : public Held {
 public:
  static const napi_type_tag kTag;

  explicit HeldKey(AeadKey key) : key_(std::move(key)) {}

  AeadKey* key() { return &key_; }
  void collected() { key_.close(); }

 private:
  ~HeldKey() override = default;

  AeadKey key_;
};

const napi_type_tag HeldKey::kTag = {0x5765667441656131, 0x93c4d7f2610a58be};

napi_value throwFailure(napi_env env, const char* what) {
  napi_throw_error(env, nullptr, what);
  return nullptr;
}

// aeadSupport() → {openssl, aesHardware}
napi_value aeadSupport(napi_env env, napi_callback_info) {
  napi_value out = nullptr;
  napi_create_object(env, &out);
  setProperty(env, out, "openssl", boolean(env, hasOpenssl()));
  setProperty(env, out, "aesHardware", boolean(env, hasAesHardware()));
  return out;
}

// aeadOpen(cipher 0|1, key bytes) → handle
napi_value aeadOpen(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t cipher = 0;
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  if (!arguments.integer(0, 0, 1, &cipher) || !arguments.bytes(1, &bytes, &length)) return nullptr;
  AeadKey key;
  if (length != AeadKey::kKeyBytes || !hasOpenssl() ||
      !AeadKey::open(cipher == 1 ? Cipher::kAes256Gcm : Cipher::kChaCha20Poly1305, bytes, &key)) {
    return throwFailure(env, "OpenSSL takes no such key");
  }
  return makeHandle(env, new HeldKey(std::move(key)));
}

// What sealing and opening are called with: (handle, nonce bytes, bytes, at, length, segment, aadLength), where the
// packets are bytes[at, at + length).
struct RunCall {
  AeadKey* key = nullptr;
  const uint8_t* nonce = nullptr;
  PacketRun run;

  // False with an error pending where an argument is wrong or the key is closed.
  bool read(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    HeldKey* held = readHandle<HeldKey>(env, arguments.raw(0));
    size_t nonceLength = 0;
    const uint8_t* bytes = nullptr;
    size_t available = 0;
    int64_t at = 0;
    int64_t length = 0;
    int64_t segment = 0;
    int64_t aadLength = 0;
    if (held == nullptr || !arguments.bytes(1, &nonce, &nonceLength) || !arguments.bytes(2, &bytes, &available) ||
        !arguments.integer(3, 0, static_cast<int64_t>(available), &at) ||
        !arguments.integer(4, 1, static_cast<int64_t>(available) - at, &length) ||
        !arguments.integer(5, 1, INT32_MAX, &segment) || !arguments.integer(6, 0, INT32_MAX, &aadLength)) {
      return false;
    }
    key = held->key();
    // The caller's memory is JavaScript's and its to change; arguments that are only read come as const.
    run = {const_cast<uint8_t*>(bytes) + at, static_cast<size_t>(length), static_cast<size_t>(segment),
           static_cast<size_t>(aadLength)};
    if (key->valid() && nonceLength == AeadKey::kNonceBytes && run.length <= INT32_MAX && run.wellFormed()) return true;
    throwFailure(env, key->valid() ? "these bytes are no run of packets" : "the key is closed");
    return false;
  }
};

// aeadSealRun(handle, nonce, bytes, at, length, segment, aadLength)
napi_value aeadSealRun(napi_env env, napi_callback_info info) {
  RunCall call;
  if (!call.read(env, info)) return nullptr;
  return call.run.seal(call.key, call.nonce) ? undefined(env) : throwFailure(env, "OpenSSL does not seal");
}

// aeadOpenRun(handle, nonce, bytes, at, length, segment, aadLength) → packets that opened, from the first
napi_value aeadOpenRun(napi_env env, napi_callback_info info) {
  RunCall call;
  if (!call.read(env, info)) return nullptr;
  return number(env, static_cast<double>(call.run.open(call.key, call.nonce)));
}

// aeadClose(handle)
napi_value aeadClose(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  HeldKey* held = readHandle<HeldKey>(env, arguments.raw(0));
  if (held == nullptr) return nullptr;
  held->key()->close();
  return undefined(env);
}

}  // namespace

void bindAead(napi_env env, napi_value exports) {
  const Binding bindings[] = {{"aeadSupport", aeadSupport},
                              {"aeadOpen", aeadOpen},
                              {"aeadSealRun", aeadSealRun},
                              {"aeadOpenRun", aeadOpenRun},
                              {"aeadClose", aeadClose}};
  bindAll(env, exports, bindings);
}

}  // namespace weft

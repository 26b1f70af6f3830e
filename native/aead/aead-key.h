#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "aead/openssl.h"

namespace weft {

enum class Cipher { kChaCha20Poly1305, kAes256Gcm };

// One key at work: its schedule is made once and kept in OpenSSL's memory, which wipes it when the key is closed. Both
// ciphers have keys of 32 bytes, nonces of 12 and tags of 16 (RFC 8439; NIST SP 800-38D).
class AeadKey {
 public:
  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kNonceBytes = 12;
  static constexpr size_t kTagBytes = 16;

  // False where OpenSSL has not the cipher or memory is short. Requires hasOpenssl().
  static bool open(Cipher cipher, const uint8_t* key, AeadKey* out);

  AeadKey() = default;
  AeadKey(AeadKey&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  AeadKey& operator=(AeadKey&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
  }
  ~AeadKey() { close(); }

  bool valid() const { return context_ != nullptr; }
  // Wipes the key.
  void close();

  // Seals `text` where it lies and writes the tag behind it. False where OpenSSL fails, which is not to be expected.
  bool seal(const uint8_t* nonce, const uint8_t* aad, size_t aadLength, uint8_t* text, size_t length);
  // Opens `text`, which the tag follows, where it lies. False where anything is not as it was sealed; then `text` is
  // wiped, for what is there until the tag has been compared is not to be read by anybody.
  bool open(const uint8_t* nonce, const uint8_t* aad, size_t aadLength, uint8_t* text, size_t length);

 private:
  EVP_CIPHER_CTX* context_ = nullptr;
};

}  // namespace weft

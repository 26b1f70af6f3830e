#include "aead/aead-key.h"

namespace weft {

bool AeadKey::open(Cipher cipher, const uint8_t* key, AeadKey* out) {
  AeadKey made;
  made.context_ = EVP_CIPHER_CTX_new();
  const EVP_CIPHER* kind = cipher == Cipher::kAes256Gcm ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
  if (made.context_ == nullptr || kind == nullptr ||
      EVP_CipherInit_ex(made.context_, kind, nullptr, key, nullptr, 1) != 1) {
    ERR_clear_error();
    return false;
  }
  *out = std::move(made);
  return true;
}

void AeadKey::close() {
  if (context_ != nullptr) EVP_CIPHER_CTX_free(context_);
  context_ = nullptr;
}

bool AeadKey::seal(const uint8_t* nonce, const uint8_t* aad, size_t aadLength, uint8_t* text, size_t length) {
  int done = 0;
  return EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce, 1) == 1 &&
         EVP_CipherUpdate(context_, nullptr, &done, aad, static_cast<int>(aadLength)) == 1 &&
         EVP_CipherUpdate(context_, text, &done, text, static_cast<int>(length)) == 1 &&
         EVP_CipherFinal_ex(context_, text + length, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_, kGetTag, kTagBytes, text + length) == 1;
}

bool AeadKey::open(const uint8_t* nonce, const uint8_t* aad, size_t aadLength, uint8_t* text, size_t length) {
  int done = 0;
  bool opened = EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce, 0) == 1 &&
                EVP_CIPHER_CTX_ctrl(context_, kSetTag, kTagBytes, text + length) == 1 &&
                EVP_CipherUpdate(context_, nullptr, &done, aad, static_cast<int>(aadLength)) == 1 &&
                EVP_CipherUpdate(context_, text, &done, text, static_cast<int>(length)) == 1 &&
                EVP_CipherFinal_ex(context_, text + length, &done) == 1;
  if (opened) return true;
  OPENSSL_cleanse(text, length);
  // What OpenSSL notes of the failure would be told to whoever asks next for its errors: Node, of something else.
  ERR_clear_error();
  return false;
}

}  // namespace weft

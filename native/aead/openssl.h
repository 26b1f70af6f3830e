#pragma once

#include <cstddef>

// The functions of OpenSSL 3 in use, as its <openssl/evp.h> declares them. The Node binary has the library within and
// exports it, so there is nothing to link with and no package to install; version 3 keeps these functions' ABI. All are
// weak: the addon loads under a Node without them, and then their addresses are null.
extern "C" {
struct evp_cipher_st;
struct evp_cipher_ctx_st;
typedef evp_cipher_st EVP_CIPHER;
typedef evp_cipher_ctx_st EVP_CIPHER_CTX;

__attribute__((weak)) const EVP_CIPHER* EVP_aes_256_gcm();
__attribute__((weak)) const EVP_CIPHER* EVP_chacha20_poly1305();
__attribute__((weak)) EVP_CIPHER_CTX* EVP_CIPHER_CTX_new();
__attribute__((weak)) void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX* context);
__attribute__((weak)) int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX* context, int type, int argument, void* pointer);
__attribute__((weak)) int EVP_CipherInit_ex(EVP_CIPHER_CTX* context, const EVP_CIPHER* cipher, void* engine,
                                            const unsigned char* key, const unsigned char* nonce, int encrypt);
__attribute__((weak)) int EVP_CipherUpdate(EVP_CIPHER_CTX* context, unsigned char* out, int* outLength,
                                           const unsigned char* in, int length);
__attribute__((weak)) int EVP_CipherFinal_ex(EVP_CIPHER_CTX* context, unsigned char* out, int* outLength);
__attribute__((weak)) void OPENSSL_cleanse(void* at, size_t length);
__attribute__((weak)) void ERR_clear_error();
}

namespace weft {

// Arguments of EVP_CIPHER_CTX_ctrl.
constexpr int kGetTag = 0x10;
constexpr int kSetTag = 0x11;

// Whether this process has all of them.
inline bool hasOpenssl() {
  return EVP_aes_256_gcm != nullptr && EVP_chacha20_poly1305 != nullptr && EVP_CIPHER_CTX_new != nullptr &&
         EVP_CIPHER_CTX_free != nullptr && EVP_CIPHER_CTX_ctrl != nullptr && EVP_CipherInit_ex != nullptr &&
         EVP_CipherUpdate != nullptr && EVP_CipherFinal_ex != nullptr && OPENSSL_cleanse != nullptr &&
         ERR_clear_error != nullptr;
}

}  // namespace weft

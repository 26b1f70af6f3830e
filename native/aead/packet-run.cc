#include "aead/packet-run.h"

#include <algorithm>
#include <cstring>

namespace weft {
namespace {

constexpr size_t kCounterAt = AeadKey::kNonceBytes - 8;

// The nonces of a run.
class Nonces {
 public:
  explicit Nonces(const uint8_t* first) { std::memcpy(nonce_, first, sizeof nonce_); }
  const uint8_t* current() const { return nonce_; }
  void next() {
    for (size_t at = kCounterAt; at < sizeof nonce_; at++) {
      if (++nonce_[at] != 0) return;
    }
  }

 private:
  uint8_t nonce_[AeadKey::kNonceBytes];
};

}  // namespace

bool PacketRun::wellFormed() const {
  if (length == 0 || segment == 0) return false;
  const size_t last = length - (count() - 1) * segment;
  return std::min(last, segment) >= aadLength + AeadKey::kTagBytes;
}

bool PacketRun::seal(AeadKey* key, const uint8_t* nonce) const {
  Nonces nonces(nonce);
  for (size_t at = 0; at < length; at += segment, nonces.next()) {
    const size_t text = std::min(segment, length - at) - aadLength - AeadKey::kTagBytes;
    if (!key->seal(nonces.current(), bytes + at, aadLength, bytes + at + aadLength, text)) return false;
  }
  return true;
}

size_t PacketRun::open(AeadKey* key, const uint8_t* nonce) const {
  Nonces nonces(nonce);
  size_t opened = 0;
  for (size_t at = 0; at < length; at += segment, nonces.next()) {
    const size_t text = std::min(segment, length - at) - aadLength - AeadKey::kTagBytes;
    if (!key->open(nonces.current(), bytes + at, aadLength, bytes + at + aadLength, text)) break;
    opened++;
  }
  return opened;
}

}  // namespace weft

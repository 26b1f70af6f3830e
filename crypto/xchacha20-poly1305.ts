import { assert } from '../base/assert.ts';
import { SODIUM_AAD_MAX, sodium } from './sodium.ts';
import { AEAD_TAG_LENGTH, decryptInScratch, encryptInScratch, isCiphertextLength } from './sodium-aead.ts';

const NONCE_LENGTH = 24;

/** XChaCha20-Poly1305: ciphertext ‖ tag under a key of 32 bytes and a random nonce of 24. */
export function xchachaSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  assert(nonce.length === NONCE_LENGTH, 'a nonce of 24 bytes');
  const { lib, at } = sodium();
  lib.HEAPU8.set(nonce, at.nonce);
  encryptInScratch(lib._crypto_aead_xchacha20poly1305_ietf_encrypt, key, aad, plaintext);
  return lib.HEAPU8.slice(at.data, at.data + plaintext.length + AEAD_TAG_LENGTH);
}

/** Opens what {@link xchachaSeal} sealed; undefined where the tag is wrong or a size is out of bounds. */
export function xchachaOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  assert(nonce.length === NONCE_LENGTH, 'a nonce of 24 bytes');
  if (!isCiphertextLength(ciphertext.length) || aad.length > SODIUM_AAD_MAX) return undefined;
  const { lib, at } = sodium();
  lib.HEAPU8.set(nonce, at.nonce);
  if (!decryptInScratch(lib._crypto_aead_xchacha20poly1305_ietf_decrypt, key, aad, ciphertext))
    return undefined;
  const plaintext = lib.HEAPU8.slice(at.data, at.data + ciphertext.length - AEAD_TAG_LENGTH);
  lib.HEAPU8.fill(0, at.data, at.data + ciphertext.length);
  return plaintext;
}

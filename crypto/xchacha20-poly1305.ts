import { assert } from '../base/assert.ts';
import { SODIUM_AAD_MAX, SODIUM_MESSAGE_MAX, sodium } from './sodium.ts';

const TAG_LENGTH = 16;
const NONCE_LENGTH = 24;

/** XChaCha20-Poly1305: ciphertext ‖ tag under a key of 32 bytes and a random nonce of 24. */
export function xchachaSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const { lib, at: scratch } = sodium();
  assert(key.length === 32 && nonce.length === NONCE_LENGTH, 'sizes of key and nonce');
  assert(plaintext.length <= SODIUM_MESSAGE_MAX && aad.length <= SODIUM_AAD_MAX, 'sizes of a seal');
  const heap = lib.HEAPU8;
  heap.set(key, scratch.key);
  heap.set(nonce, scratch.nonce);
  heap.set(aad, scratch.aad);
  heap.set(plaintext, scratch.data);
  const data = scratch.data;
  lib._crypto_aead_xchacha20poly1305_ietf_encrypt(
    data,
    0,
    data,
    plaintext.length,
    0,
    scratch.aad,
    aad.length,
    0,
    0,
    scratch.nonce,
    scratch.key,
  );
  heap.fill(0, scratch.key, scratch.key + 32);
  return heap.slice(data, data + plaintext.length + TAG_LENGTH);
}

/** Opens what {@link xchachaSeal} sealed; undefined where the tag is wrong or a size is out of bounds. */
export function xchachaOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  const { lib, at: scratch } = sodium();
  const length = ciphertext.length;
  assert(key.length === 32 && nonce.length === NONCE_LENGTH, 'sizes of key and nonce');
  if (length < TAG_LENGTH || length > SODIUM_MESSAGE_MAX + TAG_LENGTH || aad.length > SODIUM_AAD_MAX)
    return undefined;
  const heap = lib.HEAPU8;
  heap.set(key, scratch.key);
  heap.set(nonce, scratch.nonce);
  heap.set(aad, scratch.aad);
  heap.set(ciphertext, scratch.data);
  const data = scratch.data;
  const failed = lib._crypto_aead_xchacha20poly1305_ietf_decrypt(
    data,
    0,
    0,
    data,
    length,
    0,
    scratch.aad,
    aad.length,
    0,
    scratch.nonce,
    scratch.key,
  );
  heap.fill(0, scratch.key, scratch.key + 32);
  if (failed !== 0) return undefined;
  const plaintext = heap.slice(data, data + length - TAG_LENGTH);
  heap.fill(0, data, data + length);
  return plaintext;
}

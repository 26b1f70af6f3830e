import { assert } from '../base/assert.ts';
import { writeU64LE } from '../base/bytes.ts';
import { SODIUM_AAD_MAX, SODIUM_MESSAGE_MAX, sodium } from './sodium.ts';

const TAG_LENGTH = 16;
const NONCE_LENGTH = 12;

/**
 * ChaCha20-Poly1305 (RFC 8439) with the nonce 4 zero bytes ‖ LE64(`counter`): writes ciphertext ‖ tag, that is
 * `plaintext.length` + 16 bytes, to `out` from `at`. The inputs may overlap `out`.
 * Requires a key of 32 bytes and 0 ≤ counter < 2^53. Nonces of 12 bytes in place of a counter are for the
 * published vectors, so that those judge this very code.
 */
export function chachaSeal(
  key: Uint8Array,
  counter: number | Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  const { lib, at: scratch } = sodium();
  const heap = lib.HEAPU8;
  const length = plaintext.length;
  assert(
    key.length === 32 && length <= SODIUM_MESSAGE_MAX && aad.length <= SODIUM_AAD_MAX,
    'sizes of a seal',
  );
  assert(at + length + TAG_LENGTH <= out.length, 'room for ciphertext and tag');
  heap.set(key, scratch.key);
  writeNonce(heap, scratch.nonce, counter);
  heap.set(aad, scratch.aad);
  heap.set(plaintext, scratch.data);
  const data = scratch.data;
  lib._crypto_aead_chacha20poly1305_ietf_encrypt(
    data,
    0,
    data,
    length,
    0,
    scratch.aad,
    aad.length,
    0,
    0,
    scratch.nonce,
    scratch.key,
  );
  heap.fill(0, scratch.key, scratch.key + 32);
  out.set(heap.subarray(data, data + length + TAG_LENGTH), at);
}

/**
 * Opens what {@link chachaSeal} sealed, into `out` from `at`. Returns the length of the plaintext
 * (`ciphertext.length` − 16), or −1 where the tag is wrong or a size is out of bounds; then `out` is untouched.
 */
export function chachaOpen(
  key: Uint8Array,
  counter: number | Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const { lib, at: scratch } = sodium();
  const length = ciphertext.length;
  assert(key.length === 32 && aad.length <= SODIUM_AAD_MAX, 'sizes of an open');
  if (length < TAG_LENGTH || length > SODIUM_MESSAGE_MAX + TAG_LENGTH) return -1;
  assert(at + length - TAG_LENGTH <= out.length, 'room for the plaintext');
  const heap = lib.HEAPU8;
  heap.set(key, scratch.key);
  writeNonce(heap, scratch.nonce, counter);
  heap.set(aad, scratch.aad);
  heap.set(ciphertext, scratch.data);
  const data = scratch.data;
  const failed = lib._crypto_aead_chacha20poly1305_ietf_decrypt(
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
  if (failed !== 0) return -1;
  out.set(heap.subarray(data, data + length - TAG_LENGTH), at);
  return length - TAG_LENGTH;
}

function writeNonce(heap: Uint8Array, at: number, counter: number | Uint8Array): void {
  if (typeof counter !== 'number') {
    assert(counter.length === NONCE_LENGTH, 'a nonce of 12 bytes');
    heap.set(counter, at);
    return;
  }
  assert(Number.isSafeInteger(counter) && counter >= 0, 'a counter below 2^53');
  heap.fill(0, at, at + NONCE_LENGTH - 8);
  writeU64LE(heap, at + NONCE_LENGTH - 8, counter);
}

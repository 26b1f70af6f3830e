import { assert } from '../base/assert.ts';
import { writeU64LE } from '../base/bytes.ts';
import { sodium } from './sodium.ts';
import { AEAD_TAG_LENGTH, decryptInScratch, encryptInScratch, isCiphertextLength } from './sodium-aead.ts';

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
  const length = plaintext.length + AEAD_TAG_LENGTH;
  assert(at + length <= out.length, 'room for ciphertext and tag');
  writeNonce(lib.HEAPU8, scratch.nonce, counter);
  encryptInScratch(lib._crypto_aead_chacha20poly1305_ietf_encrypt, key, aad, plaintext);
  out.set(lib.HEAPU8.subarray(scratch.data, scratch.data + length), at);
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
  if (!isCiphertextLength(ciphertext.length)) return -1;
  const { lib, at: scratch } = sodium();
  const length = ciphertext.length - AEAD_TAG_LENGTH;
  assert(at + length <= out.length, 'room for the plaintext');
  writeNonce(lib.HEAPU8, scratch.nonce, counter);
  if (!decryptInScratch(lib._crypto_aead_chacha20poly1305_ietf_decrypt, key, aad, ciphertext)) return -1;
  out.set(lib.HEAPU8.subarray(scratch.data, scratch.data + length), at);
  return length;
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

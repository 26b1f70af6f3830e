import { assert } from '../base/assert.ts';
import { type AeadDecrypt, type AeadEncrypt, SODIUM_AAD_MAX, SODIUM_MESSAGE_MAX, sodium } from './sodium.ts';

/** Bytes that both ciphers add to a message. */
export const AEAD_TAG_LENGTH = 16;
const KEY_LENGTH = 32;

/**
 * Encrypts `plaintext` in the scratch area, where the caller has put the nonce before: ciphertext ‖ tag, that is
 * `plaintext.length` + 16 bytes, then lies at `data`. The key is wiped from the scratch area.
 * Requires a key of 32 bytes, and sizes within {@link SODIUM_MESSAGE_MAX} and {@link SODIUM_AAD_MAX}.
 */
export function encryptInScratch(
  encrypt: AeadEncrypt,
  key: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): void {
  const { lib, at } = sodium();
  const { length } = plaintext;
  assert(
    key.length === KEY_LENGTH && length <= SODIUM_MESSAGE_MAX && aad.length <= SODIUM_AAD_MAX,
    'sizes of a seal',
  );
  const heap = lib.HEAPU8;
  heap.set(key, at.key);
  heap.set(aad, at.aad);
  heap.set(plaintext, at.data);
  encrypt(at.data, 0, at.data, length, 0, at.aad, aad.length, 0, 0, at.nonce, at.key);
  heap.fill(0, at.key, at.key + KEY_LENGTH);
}

/**
 * Decrypts `ciphertext` (of 16 to {@link SODIUM_MESSAGE_MAX} + 16 bytes) in the scratch area, where the caller has put
 * the nonce before: the plaintext then lies at `data`. False where the tag is wrong. The key is wiped from the scratch
 * area. Requires a key of 32 bytes, and an `aad` within {@link SODIUM_AAD_MAX}.
 */
export function decryptInScratch(
  decrypt: AeadDecrypt,
  key: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): boolean {
  const { lib, at } = sodium();
  assert(key.length === KEY_LENGTH && aad.length <= SODIUM_AAD_MAX, 'sizes of an open');
  const heap = lib.HEAPU8;
  heap.set(key, at.key);
  heap.set(aad, at.aad);
  heap.set(ciphertext, at.data);
  const failed = decrypt(
    at.data,
    0,
    0,
    at.data,
    ciphertext.length,
    0,
    at.aad,
    aad.length,
    0,
    at.nonce,
    at.key,
  );
  heap.fill(0, at.key, at.key + KEY_LENGTH);
  return failed === 0;
}

/** Whether a ciphertext of `length` bytes can be one: it holds a tag and fits the scratch area. */
export function isCiphertextLength(length: number): boolean {
  return length >= AEAD_TAG_LENGTH && length <= SODIUM_MESSAGE_MAX + AEAD_TAG_LENGTH;
}

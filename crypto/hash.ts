import { assert } from '../base/assert.ts';
import { concat } from '../base/bytes.ts';
import { blake2b } from './blake2b.ts';
import { erase, secretBytes } from './secret-bytes.ts';

/** Output of BLAKE2b-512 in bytes (Noise: HASHLEN). */
export const HASH_LENGTH = 64;
/** Input block of BLAKE2b in bytes (Noise: BLOCKLEN). */
const BLOCK_LENGTH = 128;

const EMPTY = new Uint8Array(0);

/** BLAKE2b-512 of the concatenation of `parts`. */
export function blake2b512(...parts: readonly Uint8Array[]): Uint8Array {
  return blake2b(HASH_LENGTH, parts);
}

/** BLAKE2b keyed by its own means (not HMAC), `length` bytes long: a short MAC over short messages. */
export function keyedBlake2b(key: Uint8Array, length: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return blake2b(length, parts, key);
}

/** HMAC (RFC 2104) over BLAKE2b-512, as Noise demands it; not BLAKE2b's own keyed mode. */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const block = new Uint8Array(BLOCK_LENGTH);
  if (key.length > BLOCK_LENGTH) block.set(blake2b512(key));
  else block.set(key);
  for (let i = 0; i < BLOCK_LENGTH; i++) block[i]! ^= 0x36;
  const inner = blake2b512(block, ...parts);
  for (let i = 0; i < BLOCK_LENGTH; i++) block[i]! ^= 0x36 ^ 0x5c;
  const outer = blake2b512(block, inner);
  erase(block, inner);
  return outer;
}

/**
 * HKDF (RFC 5869) over BLAKE2b-512: `length` bytes (1 to 255 × 64) out of the secret `inputKey`, separated
 * from all other uses by `salt` and `info`.
 */
export function hkdf(salt: Uint8Array, inputKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  assert(length >= 1 && length <= 255 * HASH_LENGTH, 'length of an HKDF output');
  const pseudoRandomKey = hmac(salt, inputKey);
  const out = secretBytes(length);
  let previous: Uint8Array = EMPTY;
  for (let at = 0, n = 1; at < length; at += HASH_LENGTH, n++) {
    const block = hmac(pseudoRandomKey, previous, info, Uint8Array.of(n));
    out.set(block.subarray(0, length - at), at);
    erase(previous);
    previous = block;
  }
  erase(previous, pseudoRandomKey);
  return out;
}

/** Noise §4.3, HKDF(chaining_key, input_key_material, 2): RFC 5869 with an empty info, 64 bytes each. */
export function noiseHkdf2(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] {
  const tempKey = hmac(chainingKey, input);
  const first = hmac(tempKey, Uint8Array.of(1));
  const second = hmac(tempKey, first, Uint8Array.of(2));
  erase(tempKey);
  return [first, second];
}

/** Noise §4.3, HKDF(chaining_key, input_key_material, 3). */
export function noiseHkdf3(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const tempKey = hmac(chainingKey, input);
  const first = hmac(tempKey, Uint8Array.of(1));
  const second = hmac(tempKey, first, Uint8Array.of(2));
  const third = hmac(tempKey, second, Uint8Array.of(3));
  erase(tempKey);
  return [first, second, third];
}

/** A key of 32 bytes for the use that `label` names, from a secret. Another `context` gives another key. */
export function deriveKey(
  secret: Uint8Array,
  label: Uint8Array,
  ...context: readonly Uint8Array[]
): Uint8Array {
  return hkdf(EMPTY, secret, concat(label, ...context), 32);
}

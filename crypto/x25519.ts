import { assert } from '../base/assert.ts';
import type { RandomSource } from '../base/random.ts';
import { sodium } from './sodium.ts';

/** Bytes of a public key, a private key and a shared secret (Noise: DHLEN). */
export const X25519_LENGTH = 32;

/** X25519 keys of 32 bytes each. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** A fresh key pair out of 32 random bytes. */
export function generateKeyPair(random: RandomSource): KeyPair {
  return keyPairOf(random.bytes(X25519_LENGTH));
}

/** The key pair of a private key, which is kept, not copied. */
export function keyPairOf(privateKey: Uint8Array): KeyPair {
  return { publicKey: x25519Base(privateKey), privateKey };
}

/**
 * X25519 (RFC 7748) of a 32-byte scalar and a 32-byte point. Undefined where the result is zero, as for every
 * point of small order: such a peer is refused, quietly.
 */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const { lib, at: scratch } = sodium();
  assert(privateKey.length === 32 && publicKey.length === 32, 'X25519 keys of 32 bytes');
  const heap = lib.HEAPU8;
  heap.set(privateKey, scratch.key);
  heap.set(publicKey, scratch.data);
  const out = scratch.out;
  const failed = lib._crypto_scalarmult(out, scratch.key, scratch.data);
  const shared = heap.slice(out, out + 32);
  heap.fill(0, out, out + 32);
  heap.fill(0, scratch.key, scratch.key + 32);
  return failed === 0 ? shared : undefined;
}

/** The X25519 public key of a 32-byte scalar. */
function x25519Base(privateKey: Uint8Array): Uint8Array {
  const { lib, at: scratch } = sodium();
  assert(privateKey.length === 32, 'X25519 key of 32 bytes');
  const heap = lib.HEAPU8;
  heap.set(privateKey, scratch.key);
  const out = scratch.out;
  lib._crypto_scalarmult_base(out, scratch.key);
  heap.fill(0, scratch.key, scratch.key + 32);
  return heap.slice(out, out + 32);
}

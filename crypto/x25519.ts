import type { RandomSource } from '../base/random.ts';
import { x25519Base } from './sodium.ts';

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

import { assert } from '../base/assert.ts';
import { SODIUM_MESSAGE_MAX, sodium } from './sodium.ts';

/** The Ed25519 key pair (RFC 8032) of a 32-byte seed. The private key is seed ‖ public key, 64 bytes. */
export function ed25519FromSeed(seed: Uint8Array): {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
} {
  const { lib, at: scratch } = sodium();
  assert(seed.length === 32, 'Ed25519 seed of 32 bytes');
  const heap = lib.HEAPU8;
  heap.set(seed, scratch.seed);
  const out = scratch.out;
  lib._crypto_sign_seed_keypair(out, scratch.key, scratch.seed);
  const pair = {
    publicKey: heap.slice(out, out + 32),
    privateKey: heap.slice(scratch.key, scratch.key + 64),
  };
  heap.fill(0, scratch.seed, scratch.seed + 32);
  heap.fill(0, scratch.key, scratch.key + 64);
  return pair;
}

/** The 64-byte Ed25519 signature of `message` by a 64-byte private key. */
export function ed25519Sign(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  const { lib, at: scratch } = sodium();
  assert(privateKey.length === 64 && message.length <= SODIUM_MESSAGE_MAX, 'sizes of a signature');
  const heap = lib.HEAPU8;
  heap.set(privateKey, scratch.key);
  heap.set(message, scratch.data);
  const out = scratch.out;
  lib._crypto_sign_detached(out, 0, scratch.data, message.length, 0, scratch.key);
  heap.fill(0, scratch.key, scratch.key + 64);
  return heap.slice(out, out + 64);
}

/** Whether `signature` over `message` is by `publicKey`. Wrong lengths are wrong signatures. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { lib, at: scratch } = sodium();
  if (publicKey.length !== 32 || signature.length !== 64 || message.length > SODIUM_MESSAGE_MAX) return false;
  const heap = lib.HEAPU8;
  heap.set(publicKey, scratch.key);
  heap.set(signature, scratch.out);
  heap.set(message, scratch.data);
  return lib._crypto_sign_verify_detached(scratch.out, scratch.data, message.length, 0, scratch.key) === 0;
}

import { assert } from '../base/assert.ts';
import { concat, equalBytes, utf8 } from '../base/bytes.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes } from '../base/peer-id.ts';
import type { RandomSource } from '../base/random.ts';
import { WeftError } from '../base/weft-error.ts';
import { ed25519FromSeed, ed25519Sign, ed25519Verify } from './ed25519.ts';
import { keyedBlake2b } from './hash.ts';
import { erase } from './secret-bytes.ts';
import { generateKeyPair, type KeyPair, keyPairOf } from './x25519.ts';

/**
 * Who a node is: an Ed25519 key that signs its records and whose public half is its name, and an X25519 key for
 * its handshakes. Two keys, made separately: neither is converted from the other.
 */
export interface Identity {
  readonly peer: PeerId;
  /** Ed25519: public key 32 bytes, private key 64 (seed ‖ public key). */
  readonly signing: KeyPair;
  /** X25519, 32 bytes each. */
  readonly noise: KeyPair;
}

/** Bytes of a signature. */
export const SIGNATURE_LENGTH = 64;
/** Bytes of an encoded identity. */
export const IDENTITY_LENGTH = 96;

const MAGIC = utf8('weft-id');
const VERSION = 1;
const SUM_LENGTH = 24;
const SUM_KEY = utf8('weft identity v1');

/** A new identity out of 64 random bytes. */
export function generateIdentity(random: RandomSource): Identity {
  return identityOf(random.bytes(32), generateKeyPair(random));
}

/**
 * The identity as the state folder keeps it. SECRET: for a file only its owner may read.
 *
 * ```
 * 0         7         8              40                  72             96
 * | weft-id | version | Ed25519 seed | X25519 private key | checksum 24 |
 * ```
 *
 * The checksum (BLAKE2b, keyed with a label) finds torn and damaged files; it protects against nobody.
 */
export function encodeIdentity(identity: Identity): Uint8Array {
  const seed = identity.signing.privateKey.subarray(0, 32);
  const body = concat(MAGIC, Uint8Array.of(VERSION), seed, identity.noise.privateKey);
  return concat(body, checksum(body));
}

/** Reads {@link encodeIdentity}. Throws WeftError E_IDENTITY_VERSION or E_IDENTITY_BROKEN. */
export function decodeIdentity(bytes: Uint8Array): Identity {
  const hasMagic = equalBytes(bytes.subarray(0, MAGIC.length), MAGIC);
  const version = bytes[MAGIC.length];
  if (hasMagic && version !== undefined && version > VERSION) {
    throw new WeftError(
      'E_IDENTITY_VERSION',
      `the identity file has version ${version}, this program knows ${VERSION}`,
      'run the newer weftd, or give this one a state folder of its own',
    );
  }
  const body = bytes.subarray(0, IDENTITY_LENGTH - SUM_LENGTH);
  const intact =
    hasMagic &&
    version === VERSION &&
    bytes.length === IDENTITY_LENGTH &&
    equalBytes(bytes.subarray(body.length), checksum(body));
  if (!intact) {
    throw new WeftError(
      'E_IDENTITY_BROKEN',
      'the identity file is damaged',
      'restore it from a backup, or remove the whole state folder to join as a new node',
    );
  }
  return identityOf(bytes.slice(8, 40), keyPairOf(bytes.slice(40, 72)));
}

/** The 64-byte Ed25519 signature of `message`, which begins with a domain label of its use. At most 128 KiB. */
export function sign(identity: Identity, message: Uint8Array): Uint8Array {
  return ed25519Sign(identity.signing.privateKey, message);
}

/** Whether `peer` signed `message`. Hostile input of any length is answered, with false. */
export function verifySignature(peer: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
  return ed25519Verify(peerIdBytes(peer), message, signature);
}

function identityOf(seed: Uint8Array, noise: KeyPair): Identity {
  assert(seed.length === 32 && noise.privateKey.length === 32, 'seeds of 32 bytes');
  const signing = ed25519FromSeed(seed);
  erase(seed);
  return { peer: peerIdFromBytes(signing.publicKey), signing, noise };
}

function checksum(body: Uint8Array): Uint8Array {
  return keyedBlake2b(SUM_KEY, SUM_LENGTH, body);
}

import { concat, equalBytes, utf8, writeU32LE } from '../../../base/bytes.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import type { RecordCrypto, SignedRecord, Slot } from '../../../gossip/model/record.ts';
import { signedBytes } from '../../../gossip/model/record.ts';

export const CLUSTER_ID = new Uint8Array(16).fill(0xc1);

/** A peer's identity: `n` spread over all 64 digits, so that peers fall into different buckets. */
export function peer(n: number): PeerId {
  return Buffer.from(fakeHash(utf8(`peer ${n}`))).toString('hex') as PeerId;
}

/** A quick hash of 32 bytes (8 lanes of a multiplicative mix). Good for tests, worthless against an attacker. */
export function fakeHash(bytes: Uint8Array): Uint8Array {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0x01000193);
    b = Math.imul(b + bytes[i]!, 0x85ebca6b) ^ (b >>> 13);
  }
  const out = new Uint8Array(32);
  for (let lane = 0; lane < 8; lane++) {
    a = Math.imul(a ^ (b >>> 15) ^ lane, 0x2c1b3c6d);
    b = Math.imul(b ^ (a >>> 12), 0x297a2d39);
    writeU32LE(out, 4 * lane, (a ^ b) >>> 0);
  }
  return out;
}

/** "Signatures" that anybody could compute: a hash over the signer's identity and the message. */
export function fakeSign(signer: PeerId, message: Uint8Array): Uint8Array {
  const half = fakeHash(concat(utf8(signer), message));
  return concat(half, half);
}

export class FakeCrypto implements RecordCrypto {
  readonly #self: PeerId;
  /** How many signatures were verified: what costs most in the real thing. */
  verifications = 0;

  constructor(self: PeerId) {
    this.#self = self;
  }

  sign(message: Uint8Array): Uint8Array {
    return fakeSign(this.#self, message);
  }

  verify(origin: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
    this.verifications++;
    return equalBytes(fakeSign(origin, message), signature);
  }

  hash(bytes: Uint8Array): Uint8Array {
    return fakeHash(bytes);
  }
}

/** A validly signed record. */
export function signedRecord(
  origin: PeerId,
  slot: Slot,
  epoch: number,
  sequence: number,
  payload: Uint8Array,
  clusterId = CLUSTER_ID,
): SignedRecord {
  const unsigned = { origin, slot, epoch, sequence, payload };
  return { ...unsigned, signature: fakeSign(origin, signedBytes(clusterId, unsigned)) };
}

import { compareBytes, concat, equalBytes, utf8, writeU64LE } from '../../base/bytes.ts';
import { PEER_ID_LENGTH, type PeerId, parsePeerId, peerIdBytes } from '../../base/peer-id.ts';

/**
 * Signed records: the only state that travels by gossip.
 *
 * A peer signs records only about itself, with its Ed25519 key. The record in a slot is a whole value and replaces the
 * older record in that slot. Nobody else can alter or forge it, so it may be passed on by anybody.
 * The newest record of an (origin, slot) wins, "newest" being the order of {@link compareRecords}: boot epoch, then
 * sequence, then the hash of the signed bytes. That order is total and depends on nothing but the two records, so
 * "keep the newest" is a join (idempotent, commutative, associative) and everybody ends with the same set.
 *
 * A `ring` record is a log that only grows, so its length says how new it is, whichever start of its origin signed it:
 * its epoch is 0 and its sequence the length of its payload ({@link logVersion}). A node whose state folder was
 * put back to an older state can therefore not replace its longer log by the shorter one: its peers send it the longer.
 *
 * Two different records with equal (epoch, sequence) are *equivocation*: the origin lied, was cloned or was rolled
 * back. Both carry its signature, so the pair proves it; the hash decides which one everybody keeps.
 *
 * Epoch and sequence have absolute bounds instead of a bound on the jump from one to the next: whether a jump is
 * permitted would depend on which record a peer happened to see last, and two peers could then disagree for ever.
 * A peer that spends its whole number space silences nobody but itself.
 */
export interface SignedRecord {
  /** Who wrote it, and whose key signed it. */
  readonly origin: PeerId;
  readonly slot: Slot;
  /** Boot epoch of the origin: rises with every start. 0 … {@link MAX_EPOCH}. Of a `ring` record 0. */
  readonly epoch: number;
  /** Rises with every record of this slot within the epoch. 0 … {@link MAX_SEQUENCE}. Of a `ring` record its length. */
  readonly sequence: number;
  /** Meaning by slot; at most {@link MAX_PAYLOAD_LENGTH} bytes. */
  readonly payload: Uint8Array;
  /** Ed25519, 64 bytes, over {@link signedBytes}. */
  readonly signature: Uint8Array;
}

/** What the gossip cores need of cryptography. */
export interface RecordCrypto {
  /** Our own signature over `message`: 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** Whether `signature` is that of `origin` over `message`. */
  verify(origin: PeerId, message: Uint8Array, signature: Uint8Array): boolean;
  /** A collision-resistant hash of at least 32 bytes; the same function on every node (BLAKE2b-256). */
  hash(bytes: Uint8Array): Uint8Array;
}

/**
 * `node`: see node-info.ts. `ring`: grants and tombstones of the address ring. `paxos`: votes on its genesis.
 * `forgotten`: peers that are to be forgotten, see forgotten.ts.
 */
export type Slot = 'node' | 'ring' | 'paxos' | 'forgotten';

/** All slots of this version. */
export const SLOTS: readonly Slot[] = ['node', 'ring', 'paxos', 'forgotten'];

/** On the wire and under the signature a slot is one byte. */
export const SLOT_CODE: Readonly<Record<Slot, number>> = { node: 1, ring: 2, paxos: 3, forgotten: 4 };

/** Bytes. A `ring` record with its envelope must fit one frame of 65,000 bytes, hence 63 KiB and not 64. */
export const MAX_PAYLOAD_LENGTH: Readonly<Record<Slot, number>> = {
  node: 8 * 1024,
  ring: 63 * 1024,
  paxos: 8 * 1024,
  forgotten: 8 * 1024,
};

export const SIGNATURE_LENGTH = 64;
export const CLUSTER_ID_LENGTH = 16;
export const MAX_EPOCH = 2 ** 48 - 1;
export const MAX_SEQUENCE = 2 ** 48 - 1;

/** Where a record stands among those of its origin and slot. */
export interface Version {
  readonly epoch: number;
  readonly sequence: number;
}

/** The slot of a wire code; undefined for one that this version does not know. */
export function slotOfCode(code: number): Slot | undefined {
  return SLOTS.find((slot) => SLOT_CODE[slot] === code);
}

/** Negative where `a` is older. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch !== b.epoch ? a.epoch - b.epoch : a.sequence - b.sequence;
}

/** The version of a `ring` record: a log that is longer is newer. */
export function logVersion(payload: Uint8Array): Version {
  return { epoch: 0, sequence: payload.length };
}

const DOMAIN = utf8('weft record v1');

/**
 * The bytes under the signature. Everything before the payload has a fixed length, so no two records share them.
 * `clusterId` is {@link CLUSTER_ID_LENGTH} bytes.
 *
 * ```
 * 0                14           30         62     63          71             79
 * | "weft record v1" | cluster id | origin   | slot | epoch LE  | sequence LE  | payload …
 * |       14         |     16     |    32    |  1   |     8     |      8       | 0 … 64,512
 * ```
 */
export function signedBytes(clusterId: Uint8Array, record: Omit<SignedRecord, 'signature'>): Uint8Array {
  const tail = new Uint8Array(17);
  tail[0] = SLOT_CODE[record.slot];
  writeU64LE(tail, 1, record.epoch);
  writeU64LE(tail, 9, record.sequence);
  return concat(DOMAIN, clusterId, peerIdBytes(record.origin), tail, record.payload);
}

/**
 * Whether every field is within its bounds, whatever the signature says. For records from the network and from
 * disk, before anything is done with them.
 */
export function isWellFormedRecord(record: SignedRecord): boolean {
  return (
    parsePeerId(record.origin) !== undefined &&
    SLOT_CODE[record.slot] !== undefined &&
    isCounter(record.epoch, MAX_EPOCH) &&
    isCounter(record.sequence, MAX_SEQUENCE) &&
    record.payload.length <= MAX_PAYLOAD_LENGTH[record.slot] &&
    (record.slot !== 'ring' || compareVersions(record, logVersion(record.payload)) === 0) &&
    record.signature.length === SIGNATURE_LENGTH
  );
}

/** A record and the hash of its signed bytes, which settles ties. */
export interface HashedRecord {
  readonly record: SignedRecord;
  /** `RecordCrypto.hash(signedBytes(…))`. */
  readonly hash: Uint8Array;
}

/**
 * The precedence of two records of one origin and slot: positive where `a` wins over `b`, 0 where they say the same.
 * Two valid signatures over the same bytes count as the same record.
 */
export function compareRecords(a: HashedRecord, b: HashedRecord): number {
  return compareVersions(a.record, b.record) || compareBytes(a.hash, b.hash);
}

/** Whether the pair proves that its origin said two different things under one version. */
export function isEquivocation(a: SignedRecord, b: SignedRecord): boolean {
  return (
    a.origin === b.origin &&
    a.slot === b.slot &&
    compareVersions(a, b) === 0 &&
    !equalBytes(a.payload, b.payload)
  );
}

/** The map key of an (origin, slot). */
export type RecordKey = string & { readonly __brand: 'RecordKey' };

/** Names an (origin, slot); {@link splitRecordKey} reads it back. */
export function recordKey(origin: PeerId, slot: Slot): RecordKey {
  return `${origin}/${slot}` as RecordKey;
}

/** The parts of a {@link RecordKey}. */
export function splitRecordKey(key: RecordKey): { origin: PeerId; slot: Slot } {
  return {
    origin: key.slice(0, 2 * PEER_ID_LENGTH) as PeerId,
    slot: key.slice(2 * PEER_ID_LENGTH + 1) as Slot,
  };
}

function isCounter(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

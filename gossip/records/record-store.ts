import { readU32LE, writeU32LE } from '../../base/bytes.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { compareRecords, type HashedRecord, type SignedRecord, SLOTS, type Slot } from '../model/record.ts';

/** Origins are dealt to buckets by the first bits of their identity. */
export const BUCKET_COUNT = 64;
/** Bytes of a fingerprint: the start of a record's hash, enough to tell sets apart (ties use the whole hash). */
export const FINGERPRINT_LENGTH = 8;

/** What a record store may grow to. */
interface RecordStoreLimits {
  readonly maxOrigins: number;
  /** Of payloads, in bytes. */
  readonly maxBytes: number;
}

/**
 * The newest verified record of every origin and slot.
 *
 * Kept for comparing with others: the XOR of the fingerprints in each of 64 buckets, and of all of them. Two stores
 * with equal roots hold the same records (an insider could make his own records collide, and would hide only them).
 *
 * Bounded in origins and in payload bytes. Records of dead peers stay, so that a restart finds them again, until
 * room is wanted; an origin with a `ring` record is never evicted, since its grants and tombstones must outlive it.
 */
export class RecordStore {
  readonly #limits: RecordStoreLimits;
  readonly #bySlotByOrigin = new Map<PeerId, { [slot in Slot]?: HashedRecord }>();
  readonly #originsByBucket: Set<PeerId>[] = Array.from({ length: BUCKET_COUNT }, () => new Set());
  /** Two words for each bucket. */
  readonly #words = new Uint32Array(2 * BUCKET_COUNT);
  #bytes = 0;
  #records = 0;

  constructor(limits: RecordStoreLimits) {
    this.#limits = limits;
  }

  get originCount(): number {
    return this.#bySlotByOrigin.size;
  }

  get recordCount(): number {
    return this.#records;
  }

  get payloadBytes(): number {
    return this.#bytes;
  }

  get(origin: PeerId, slot: Slot): HashedRecord | undefined {
    return this.#bySlotByOrigin.get(origin)?.[slot];
  }

  origins(): IterableIterator<PeerId> {
    return this.#bySlotByOrigin.keys();
  }

  /** All records, by origin in order of arrival. */
  *records(): Generator<HashedRecord> {
    for (const origin of this.#bySlotByOrigin.keys()) yield* this.#recordsOf(origin);
  }

  /** The records of one bucket. */
  *bucket(index: number): Generator<HashedRecord> {
    for (const origin of this.#originsByBucket[index] ?? []) yield* this.#recordsOf(origin);
  }

  hasOrigin(origin: PeerId): boolean {
    return this.#bySlotByOrigin.has(origin);
  }

  /** Whether the origin of `record` is held, or one more origin may be. */
  hasOriginFor(record: SignedRecord): boolean {
    return this.hasOrigin(record.origin) || this.originCount < this.#limits.maxOrigins;
  }

  /** Whether the payload of `record`, in place of the one it would replace, stays within the bytes permitted. */
  hasBytesFor(record: SignedRecord): boolean {
    const freed = this.get(record.origin, record.slot)?.record.payload.length ?? 0;
    return this.#bytes - freed + record.payload.length <= this.#limits.maxBytes;
  }

  /** Holds `next` if it wins over what is held. The caller has verified it and seen to room. True where held now. */
  put(next: HashedRecord): boolean {
    const { origin, slot } = next.record;
    let bySlot = this.#bySlotByOrigin.get(origin);
    const held = bySlot?.[slot];
    if (held && compareRecords(next, held) <= 0) return false;
    if (!bySlot) {
      bySlot = {};
      this.#bySlotByOrigin.set(origin, bySlot);
      this.#originsByBucket[bucketOf(origin)]!.add(origin);
    }
    bySlot[slot] = next;
    if (held) this.#account(held, -1);
    this.#account(next, 1);
    return true;
  }

  /** Forgets one record. False where it is not held. */
  drop(origin: PeerId, slot: Slot): boolean {
    const bySlot = this.#bySlotByOrigin.get(origin);
    const held = bySlot?.[slot];
    if (!bySlot || !held) return false;
    this.#account(held, -1);
    delete bySlot[slot];
    if (Object.keys(bySlot).length > 0) return true;
    this.#bySlotByOrigin.delete(origin);
    this.#originsByBucket[bucketOf(origin)]!.delete(origin);
    return true;
  }

  /** Whether {@link evict} would be permitted. */
  isEvictable(origin: PeerId): boolean {
    return this.#bySlotByOrigin.has(origin) && this.get(origin, 'ring') === undefined;
  }

  /** Forgets an origin without a `ring` record. Returns the slots that are gone; none where it is not permitted. */
  evict(origin: PeerId): Slot[] {
    if (!this.isEvictable(origin)) return [];
    const slots: Slot[] = [];
    for (const held of this.#recordsOf(origin)) {
      this.#account(held, -1);
      slots.push(held.record.slot);
    }
    this.#bySlotByOrigin.delete(origin);
    this.#originsByBucket[bucketOf(origin)]!.delete(origin);
    return slots;
  }

  /** Fingerprint of the whole set, {@link FINGERPRINT_LENGTH} bytes. */
  root(): Uint8Array {
    let low = 0;
    let high = 0;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      low ^= this.#words[2 * i]!;
      high ^= this.#words[2 * i + 1]!;
    }
    const out = new Uint8Array(FINGERPRINT_LENGTH);
    writeU32LE(out, 0, low >>> 0);
    writeU32LE(out, 4, high >>> 0);
    return out;
  }

  /** Fingerprints of all buckets, one behind the other. */
  buckets(): Uint8Array {
    const out = new Uint8Array(BUCKET_COUNT * FINGERPRINT_LENGTH);
    for (const [i, word] of this.#words.entries()) writeU32LE(out, 4 * i, word);
    return out;
  }

  *#recordsOf(origin: PeerId): Generator<HashedRecord> {
    const bySlot = this.#bySlotByOrigin.get(origin);
    for (const slot of SLOTS) {
      const held = bySlot?.[slot];
      if (held) yield held;
    }
  }

  #account(held: HashedRecord, sign: 1 | -1): void {
    const bucket = bucketOf(held.record.origin);
    this.#words[2 * bucket]! ^= readU32LE(held.hash, 0);
    this.#words[2 * bucket + 1]! ^= readU32LE(held.hash, 4);
    this.#bytes += sign * held.record.payload.length;
    this.#records += sign;
  }
}

/** The bucket of an origin: the first 6 bits of its identity. */
export function bucketOf(origin: PeerId): number {
  return Number.parseInt(origin.slice(0, 2), 16) >> 2;
}

/** The fingerprint of one record. */
export function fingerprint(held: HashedRecord): Uint8Array {
  return held.hash.subarray(0, FINGERPRINT_LENGTH);
}

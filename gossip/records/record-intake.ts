import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { GossipCounter } from '../model/gossip-counters.ts';
import { decodeNodeInfo, type NodeInfo } from '../model/node-info.ts';
import {
  compareRecords,
  compareVersions,
  type HashedRecord,
  isEquivocation,
  isWellFormedRecord,
  type RecordCrypto,
  type RecordKey,
  recordKey,
  type SignedRecord,
  type Slot,
  signedBytes,
} from '../model/record.ts';
import { decodeForgets, type Forget, type Forgotten } from './forgotten.ts';
import type { RecordStore } from './record-store.ts';

/** How many updates of one (origin, slot) are taken at once, and how many a second on the long run. */
export const UPDATE_BURST = 20;
export const UPDATES_PER_SECOND = 5;
/** How often a full store forgets an origin for a new one. */
const EVICTION_BURST = 16;
const EVICTIONS_PER_SECOND = 1;

/** What a record that was taken changes. */
export interface Intake {
  readonly record: SignedRecord;
  /** Of a `node` record. */
  readonly info?: NodeInfo;
  /** Of a `forgotten` record. */
  readonly forgets?: readonly Forget[];
  /** The record it replaces. */
  readonly previous?: SignedRecord;
  /** Another record of the same version: proof against the origin. Told once for each origin. */
  readonly equivocation?: SignedRecord;
  /** What was forgotten to make room. */
  readonly evicted: readonly { readonly origin: PeerId; readonly slot: Slot }[];
}

/**
 * `stale`: not newer than what is held; harmless. `forgotten`: its origin was removed at that version. `rate`: the origin writes too often; the record comes again by
 * anti-entropy. `full`: no room. `payload` and `signature`: whoever passed it on has not checked it, or made it up.
 */
type IntakeRefusal = 'stale' | 'forgotten' | 'rate' | 'full' | 'payload' | 'signature';

/** Why a record from our own disk is not taken; no origin is over its rate there. */
export type RestoreRefusal = Exclude<IntakeRefusal, 'rate' | 'forgotten'>;

const COUNTER_BY_REFUSAL: Readonly<Record<IntakeRefusal, GossipCounter>> = {
  stale: 'gossip.recordStale',
  forgotten: 'gossip.recordForgotten',
  rate: 'gossip.recordRateLimited',
  full: 'gossip.recordNoRoom',
  payload: 'gossip.recordBadPayload',
  signature: 'gossip.recordBadSignature',
};

/**
 * The gate of the record store. A signature costs 100 µs and more to verify, so everything cheaper comes first: a
 * record that is not newer is never verified, nor one from an origin over its rate, nor one there is no room for.
 * Rates are charged after the signature, so that forgeries cannot use up the allowance of an honest origin.
 */
export class RecordIntake {
  readonly #clusterId: Uint8Array;
  readonly #crypto: RecordCrypto;
  readonly #store: RecordStore;
  readonly #forgotten: Forgotten;
  readonly #counters: Counters<GossipCounter>;
  /** Only of records held, so it is bounded by the store. */
  readonly #rateByKey = new Map<RecordKey, TokenBucket>();
  readonly #evictions = new TokenBucket(EVICTION_BURST, EVICTIONS_PER_SECOND);
  /** Origins whose equivocation is proven; each of them is in the store. */
  readonly #proven = new Set<PeerId>();
  /** The origin to forget when room is wanted. */
  readonly #leastWanted: () => PeerId | undefined;

  constructor(options: {
    readonly clusterId: Uint8Array;
    readonly crypto: RecordCrypto;
    readonly store: RecordStore;
    readonly forgotten: Forgotten;
    readonly counters: Counters<GossipCounter>;
    readonly leastWanted: () => PeerId | undefined;
  }) {
    this.#clusterId = options.clusterId;
    this.#crypto = options.crypto;
    this.#store = options.store;
    this.#forgotten = options.forgotten;
    this.#counters = options.counters;
    this.#leastWanted = options.leastWanted;
  }

  /** Takes a well-formed record from a peer if it is newer, bearable and genuine. A refusal changes nothing. */
  take(record: SignedRecord, now: Instant): Result<Intake, IntakeRefusal> {
    const taken = this.#take(record, now);
    this.#counters.add(taken.ok ? 'gossip.recordTaken' : COUNTER_BY_REFUSAL[taken.reason]);
    return taken;
  }

  /** Takes a record from our own disk: verified like any other, since a damaged one would make us look a forger. */
  restore(record: SignedRecord): Result<Intake, RestoreRefusal> {
    if (!isWellFormedRecord(record)) return fail('payload');
    const held = this.#store.get(record.origin, record.slot)?.record;
    if (held && compareVersions(record, held) <= 0) return fail('stale');
    if (!this.#store.hasOriginFor(record) || !this.#store.hasBytesFor(record)) return fail('full');
    const read = readPayload(record);
    if (!read) return fail('payload');
    const message = signedBytes(this.#clusterId, record);
    if (!this.#crypto.verify(record.origin, message, record.signature)) return fail('signature');
    this.#store.put({ record, hash: this.#crypto.hash(message) });
    return ok({ record, evicted: [], ...read });
  }

  /** Lets the `node` record of `origin` go. */
  dropNode(origin: PeerId): void {
    this.#store.drop(origin, 'node');
    this.#rateByKey.delete(recordKey(origin, 'node'));
    if (!this.#store.hasOrigin(origin)) this.#proven.delete(origin);
  }

  /** Signs and holds a record of our own. The caller sees to a version above what is held. */
  sign(unsigned: Omit<SignedRecord, 'signature'>): SignedRecord {
    const message = signedBytes(this.#clusterId, unsigned);
    const record = { ...unsigned, signature: this.#crypto.sign(message) };
    this.#store.put({ record, hash: this.#crypto.hash(message) });
    return record;
  }

  #take(record: SignedRecord, now: Instant): Result<Intake, IntakeRefusal> {
    const held = this.#store.get(record.origin, record.slot);
    const order = held ? compareVersions(record, held.record) : 1;
    if (order < 0) return fail('stale');
    if (record.slot === 'node' && this.#forgotten.isGone(record.origin, record)) return fail('forgotten');
    const message = signedBytes(this.#clusterId, record);
    const next: HashedRecord = { record, hash: this.#crypto.hash(message) };
    const wins = !held || compareRecords(next, held) > 0;
    const equivocation = held !== undefined && isEquivocation(record, held.record);
    const proves = equivocation && !this.#proven.has(record.origin);
    if (!wins && !proves) return fail('stale');

    const key = recordKey(record.origin, record.slot);
    const rate = this.#rateByKey.get(key) ?? new TokenBucket(UPDATE_BURST, UPDATES_PER_SECOND);
    if (!rate.has(now)) return fail('rate');
    if (!this.#store.hasBytesFor(record)) return fail('full');
    let victim: PeerId | undefined;
    if (!this.#store.hasOriginFor(record)) {
      // Charged for the search, which is what costs.
      victim = this.#evictions.take(now) ? this.#leastWanted() : undefined;
      if (victim === undefined || !this.#store.isEvictable(victim)) return fail('full');
    }
    const read = readPayload(record);
    if (!read) return fail('payload');
    if (!this.#crypto.verify(record.origin, message, record.signature)) return fail('signature');

    rate.take(now);
    const evicted = victim === undefined ? [] : this.#evict(victim);
    this.#rateByKey.set(key, rate);
    if (wins) this.#store.put(next);
    if (proves) this.#proven.add(record.origin);
    return ok({
      record: wins ? record : held.record,
      evicted,
      ...(wins ? read : {}),
      ...(held ? { previous: held.record } : {}),
      ...(proves ? { equivocation: wins ? held.record : record } : {}),
    });
  }

  #evict(origin: PeerId): { origin: PeerId; slot: Slot }[] {
    this.#proven.delete(origin);
    return this.#store.evict(origin).map((slot) => {
      this.#rateByKey.delete(recordKey(origin, slot));
      return { origin, slot };
    });
  }
}

/** What a record says, of the slots whose meaning is gossip's. Undefined where that cannot be read. */
function readPayload({ slot, payload }: SignedRecord): Pick<Intake, 'info' | 'forgets'> | undefined {
  if (slot === 'forgotten') {
    const forgets = decodeForgets(payload);
    return forgets && { forgets };
  }
  if (slot !== 'node') return {};
  const info = decodeNodeInfo(payload);
  return info.ok ? { info: info.value } : undefined;
}

import { equalBytes } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { GossipCounter } from '../model/gossip-counters.ts';
import type { OwnInfo } from '../model/gossip-options.ts';
import { encodeNodeInfo, MAX_LINKS } from '../model/node-info.ts';
import {
  compareVersions,
  logVersion,
  type RecordKey,
  recordKey,
  type SignedRecord,
  SLOTS,
  type Slot,
  type Version,
} from '../model/record.ts';
import type { RecordIntake } from './record-intake.ts';
import type { RecordStore } from './record-store.ts';

/** How often a slot of ours is published: less often than others accept from one origin (record-intake.ts). */
const PUBLISH_BURST = 15;
const PUBLISHES_PER_SECOND = 4;
const RETRY_MS = 250;
/** Changes of the overlay links wait for more, and are published at most so often. */
const LINKS_DELAY_MS = 300;
const LINKS_INTERVAL_MS = 2_000;
/** At most one refutation in this time: a liar decides about little of our traffic. */
const REFUTE_INTERVAL_MS = 500;

/**
 * Our own records: what they should say, and when the next version is signed.
 *
 * Every slot has a wish and a rate. A wish that the rate forbids waits, and a newer wish replaces it, so nobody can
 * be made to publish more often than others will take.
 */
export class OwnRecords {
  readonly #self: PeerId;
  readonly #store: RecordStore;
  readonly #intake: RecordIntake;
  readonly #counters: Counters<GossipCounter>;
  #epoch: number;
  #info: OwnInfo | undefined;
  #leaving = false;
  readonly #wishBySlot = new Map<Slot, Uint8Array>();
  readonly #rateBySlot = new Map<Slot, TokenBucket>(
    SLOTS.map((slot) => [slot, new TokenBucket(PUBLISH_BURST, PUBLISHES_PER_SECOND)]),
  );
  /** When the node record is to be composed anew. */
  #nodeAt: Instant | undefined;
  /** Also if it says the same as before. */
  #mustRise = false;
  #waitingAt: Instant | undefined;
  #nodePublishedAt: Instant | undefined;
  #refutedAt: Instant | undefined;

  constructor(options: {
    readonly self: PeerId;
    readonly epoch: number;
    readonly store: RecordStore;
    readonly intake: RecordIntake;
    readonly counters: Counters<GossipCounter>;
  }) {
    this.#self = options.self;
    this.#epoch = options.epoch;
    this.#store = options.store;
    this.#intake = options.intake;
    this.#counters = options.counters;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The keys of what we have published. */
  keys(): RecordKey[] {
    return SLOTS.filter((slot) => this.#store.get(this.#self, slot)).map((slot) =>
      recordKey(this.#self, slot),
    );
  }

  setInfo(info: OwnInfo, now: Instant): void {
    this.#info = info;
    this.#nodeAt = now;
  }

  set(slot: Exclude<Slot, 'node'>, payload: Uint8Array, now: Instant): void {
    this.#wishBySlot.set(slot, payload.slice());
    this.#waitingAt = now;
  }

  leave(now: Instant): void {
    this.#leaving = true;
    this.#nodeAt = now;
  }

  raiseEpoch(epoch: number, now: Instant): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#rise(now);
    this.#waitingAt = now;
  }

  linksChanged(now: Instant): void {
    const earliestAt = after(this.#nodePublishedAt ?? now, LINKS_INTERVAL_MS);
    const at = Math.max(
      after(now, LINKS_DELAY_MS),
      this.#nodePublishedAt === undefined ? now : earliestAt,
    ) as Instant;
    this.#nodeAt = earliest(this.#nodeAt, at);
  }

  /** Somebody says that we are not alive at `version`. True where a newer record will say otherwise. */
  refute(version: Version, now: Instant): boolean {
    const held = this.#store.get(this.#self, 'node')?.record;
    if (!held || this.#leaving || compareVersions(version, held) !== 0 || this.#mustRise) return false;
    const notBefore = this.#refutedAt === undefined ? now : after(this.#refutedAt, REFUTE_INTERVAL_MS);
    this.#rise(notBefore > now ? notBefore : now);
    this.#counters.add('gossip.refuted');
    return true;
  }

  /** Somebody has forgotten us at `version`, while we were away: a newer record will bring us back. */
  wasForgotten(version: Version, now: Instant): void {
    const held = this.#store.get(this.#self, 'node')?.record;
    if (!held || this.#leaving || compareVersions(version, held) < 0 || this.#mustRise) return;
    const notBefore = this.#refutedAt === undefined ? now : after(this.#refutedAt, REFUTE_INTERVAL_MS);
    this.#rise(notBefore > now ? notBefore : now);
  }

  /** A peer held a newer record of ours: what we say in that slot has to be said again, above it. */
  behind(slot: Slot, now: Instant): void {
    if (slot === 'node') this.#rise(now);
  }

  /** Signs what is due. `links`: peers that we hold links with, in order. */
  publishDue(links: readonly PeerId[], now: Instant): SignedRecord[] {
    if (this.#nodeAt !== undefined && this.#nodeAt <= now && this.#info) {
      this.#nodeAt = undefined;
      const leaving = this.#leaving ? { leaving: true } : {};
      const payload = encodeNodeInfo({ ...this.#info, links: links.slice(0, MAX_LINKS), ...leaving });
      this.#wishBySlot.set('node', payload);
      this.#waitingAt = now;
    }
    if (this.#waitingAt === undefined || this.#waitingAt > now) return [];
    this.#waitingAt = undefined;
    const out: SignedRecord[] = [];
    for (const [slot, payload] of this.#wishBySlot) {
      const held = this.#store.get(this.#self, slot)?.record;
      const forced = slot === 'node' && this.#mustRise;
      const next = this.#nextVersion(slot, payload, held);
      if (held && equalBytes(held.payload, payload) && held.epoch === next.epoch && !forced) {
        this.#wishBySlot.delete(slot);
      } else if (held && compareVersions(held, next) > 0) {
        // Others hold a newer record of ours (of a later boot, or a longer log) and would refuse this one. See raiseEpoch.
        this.#counters.add('gossip.ownBehind');
      } else if (this.#rateBySlot.get(slot)!.take(now) || this.#leaving) {
        this.#wishBySlot.delete(slot);
        if (slot === 'node') this.#published(now, forced);
        out.push(this.#intake.sign({ origin: this.#self, slot, ...next, payload }));
      } else {
        this.#waitingAt = after(now, RETRY_MS);
      }
    }
    return out;
  }

  nextTimeout(): Instant | undefined {
    return earliest(this.#info && this.#nodeAt, this.#waitingAt);
  }

  #nextVersion(slot: Slot, payload: Uint8Array, held: Version | undefined): Version {
    if (slot === 'ring') return logVersion(payload);
    return { epoch: this.#epoch, sequence: held?.epoch === this.#epoch ? held.sequence + 1 : 1 };
  }

  #rise(at: Instant): void {
    this.#mustRise = true;
    this.#nodeAt = at;
  }

  #published(now: Instant, forced: boolean): void {
    this.#nodePublishedAt = now;
    this.#mustRise = false;
    if (forced) this.#refutedAt = now;
  }
}

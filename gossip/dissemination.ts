import { equalBytes } from '../base/bytes.ts';
import type { Counters } from '../base/counters.ts';
import { after, earliest, type Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit, shuffle } from '../base/random.ts';
import type { GossipConfig } from './model/gossip-config.ts';
import type { LinkId, MemberState } from './model/gossip-output.ts';
import {
  compareVersions,
  type HashedRecord,
  type RecordKey,
  recordKey,
  splitRecordKey,
} from './model/record.ts';
import type { Rumour } from './model/rumour.ts';
import type { Link, Links } from './overlay/links.ts';
import {
  encodeFrame,
  type Frame,
  MAX_FRAME_RUMOURS,
  MAX_VERSION_ENTRIES,
  MAX_WANTED,
  type SharedRecord,
  splitRecords,
  type VersionEntry,
  type WantedRecord,
} from './records/frame.ts';
import { BUCKET_COUNT, FINGERPRINT_LENGTH, fingerprint, type RecordStore } from './records/record-store.ts';

/** A new record goes in full to so many links, and is only announced on the others. */
export const EAGER_FANOUT = 3;
/** Announcements follow the records by so much, so that they mostly find nothing to ask for. */
const ANNOUNCE_DELAY_MS = 150;
/** At most so many bytes of records to one link in one flush; the rest follows in the next. */
const MAX_FLUSH_BYTES = 256 * 1024;
/** A record asked for of one peer is not asked for of another within this. */
const ASK_AGAIN_AFTER_MS = 500;
/** Records asked for and not yet come. */
const MAX_ASKED = 4096;
/** A store of up to so many records lists its versions at once on a new link, instead of a digest first. */
const SMALL_STORE = 64;
const MAX_FRUITLESS_BACKOFF_MS = 30_000;

/**
 * How records reach everybody.
 *
 * *Push*: a record that is new to us goes, batched over 50 ms, in full to three links and as an announcement to the
 * rest. Everybody does so once, so a change floods the overlay in a few hops, and the announcements close the holes.
 *
 * *Digest*, each second with one random link: 8 bytes when both hold the same. Where not, the 64 bucket fingerprints
 * come back, then the versions in the buckets that differ, then the records either side lacks:
 *
 * ```
 *   A ── digest ──▶ B      equal: silence
 *   A ◀─ buckets ── B
 *   A ─ versions ─▶ B      of the buckets that differ
 *   A ◀─ records, want ─ B
 *   A ── records ─▶ B
 * ```
 *
 * *Full exchange*, every 30 s and slower in large clusters: all versions, and who is suspect or dead, to one link, whatever the digests.
 *
 * A link whose differences never mend (one side has no room, or skips a future slot) is asked ever more rarely.
 */
export class Dissemination {
  readonly #options: DisseminationOptions;
  readonly #random: RandomSource;
  readonly #askedAtByKey = new Map<RecordKey, Instant>();
  #nextDigestAt: Instant | undefined;
  #nextFullSyncAt: Instant | undefined;

  constructor(options: DisseminationOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  start(now: Instant): void {
    this.#nextDigestAt = after(now, this.#jittered(this.#options.config.digestIntervalMs));
    this.#nextFullSyncAt = after(now, this.#fullSyncIntervalMs());
  }

  /** A record newly held: tells everybody but the link it came from. */
  spread(key: RecordKey, from: LinkId | undefined, now: Instant): void {
    this.#askedAtByKey.delete(key);
    const targets = [...this.#options.links.all()].filter((link) => link.id !== from);
    shuffle(this.#random, targets);
    for (const [i, link] of targets.entries()) {
      const { outbox } = link;
      if (i < EAGER_FANOUT) {
        outbox.lazy.delete(key);
        this.#push(link, key, now);
      } else if (!outbox.eager.has(key)) {
        outbox.lazy.add(key);
        outbox.announceSoon(this.#options.config.flushMs + ANNOUNCE_DELAY_MS, now);
      }
    }
  }

  /** The far end of `link` holds what we hold under `key`. */
  known(link: Link, key: RecordKey): void {
    link.outbox.eager.delete(key);
    link.outbox.lazy.delete(key);
  }

  /** Something new came over `link`. */
  fruitful(link: Link): void {
    link.outbox.fruitless = 0;
    link.outbox.digestNotBefore = undefined;
  }

  spreadRumour(rumour: Rumour, from: LinkId | undefined, now: Instant): void {
    for (const link of this.#options.links.all()) {
      if (link.id === from) continue;
      link.outbox.addRumour(rumour);
      link.outbox.flushSoon(this.#options.config.flushMs, now);
    }
  }

  /** A new link: our own records, all that we believe of members, and whoever dialled begins the comparison. */
  opened(link: Link, ownRecords: readonly RecordKey[], now: Instant): void {
    for (const key of ownRecords) this.#push(link, key, now);
    this.#sendRumours(link, this.#options.allRumours());
    if (!link.initiatedByUs) return;
    if (this.#options.store.recordCount <= SMALL_STORE) this.#sendVersions(link, allBuckets());
    else this.#send(link, { kind: 'digest', root: this.#options.store.root() });
  }

  /** One of the frames of the comparison. Returns false where the link has used up its allowance of answers. */
  handle(link: Link, frame: Frame, now: Instant): boolean {
    if (!link.outbox.answers.take(now)) return false;
    switch (frame.kind) {
      case 'digest':
        if (equalBytes(frame.root, this.#options.store.root())) this.fruitful(link);
        else this.#send(link, { kind: 'buckets', fingerprints: this.#options.store.buckets() });
        break;
      case 'buckets':
        this.#compareBuckets(link, frame.fingerprints, now);
        break;
      case 'versions':
        this.#compareVersions(link, frame.buckets, frame.entries, now);
        break;
      case 'want':
        for (const { origin, slot } of frame.wanted) {
          if (this.#options.store.get(origin, slot)) this.#push(link, recordKey(origin, slot), now);
        }
    }
    return true;
  }

  /** The shell's buffer of the link is above (or again beneath) its mark. */
  setCongested(link: Link, congested: boolean, now: Instant): void {
    if (congested) link.outbox.congestedSince ??= now;
    else link.outbox.congestedSince = undefined;
  }

  tick(now: Instant): void {
    for (const link of this.#options.links.all()) {
      const { outbox } = link;
      if (outbox.congestedSince !== undefined) continue;
      if (outbox.flushAt !== undefined && outbox.flushAt <= now) this.#flush(link, now);
      if (outbox.announceAt !== undefined && outbox.announceAt <= now) this.#announce(link);
    }
    if (this.#nextDigestAt !== undefined && this.#nextDigestAt <= now) {
      this.#nextDigestAt = after(now, this.#jittered(this.#options.config.digestIntervalMs));
      const link = this.#randomLink((each) => (each.outbox.digestNotBefore ?? now) <= now);
      if (link) this.#send(link, { kind: 'digest', root: this.#options.store.root() });
      this.#forgetAsked(now);
    }
    if (this.#nextFullSyncAt !== undefined && this.#nextFullSyncAt <= now) {
      this.#nextFullSyncAt = after(now, this.#fullSyncIntervalMs());
      const link = this.#randomLink(() => true);
      if (link) {
        // That somebody lives is told on a new link, and shows itself; what may have been missed is the rest.
        this.#sendRumours(
          link,
          this.#options.allRumours().filter((rumour) => rumour.state !== 'alive'),
        );
        this.#sendVersions(link, allBuckets());
      }
    }
  }

  nextTimeout(): Instant | undefined {
    let first = earliest(this.#nextDigestAt, this.#nextFullSyncAt);
    for (const link of this.#options.links.all()) first = earliest(first, link.outbox.nextTimeout());
    return first;
  }

  /** Sends everything that waits, without waiting for more (before leaving). */
  flushAll(now: Instant): void {
    for (const link of this.#options.links.all()) this.#flush(link, now);
  }

  #push(link: Link, key: RecordKey, now: Instant): void {
    link.outbox.eager.add(key);
    link.outbox.flushSoon(this.#options.config.flushMs, now);
  }

  #flush(link: Link, now: Instant): void {
    const { outbox } = link;
    outbox.flushAt = undefined;
    const shared: SharedRecord[] = [];
    let bytes = 0;
    for (const key of outbox.eager) {
      if (bytes >= MAX_FLUSH_BYTES) {
        outbox.flushSoon(this.#options.config.flushMs, now);
        break;
      }
      outbox.eager.delete(key);
      const { origin, slot } = splitRecordKey(key);
      const record = this.#options.store.get(origin, slot)?.record;
      if (!record) continue;
      shared.push({ record, state: this.#options.stateOf(origin) });
      bytes += record.payload.length;
    }
    for (const records of splitRecords(shared)) this.#send(link, { kind: 'records', records });
    this.#sendRumours(link, outbox.takeRumours());
  }

  #announce(link: Link): void {
    link.outbox.announceAt = undefined;
    const entries: VersionEntry[] = [];
    for (const key of link.outbox.lazy) {
      if (link.outbox.eager.has(key)) continue;
      const { origin, slot } = splitRecordKey(key);
      const held = this.#options.store.get(origin, slot);
      if (held) entries.push(entryOf(held));
    }
    link.outbox.lazy.clear();
    for (let i = 0; i < entries.length; i += MAX_VERSION_ENTRIES) {
      this.#send(link, { kind: 'versions', buckets: [], entries: entries.slice(i, i + MAX_VERSION_ENTRIES) });
    }
  }

  #compareBuckets(link: Link, theirs: Uint8Array, now: Instant): void {
    const ours = this.#options.store.buckets();
    const differing: number[] = [];
    for (let i = 0; i < BUCKET_COUNT; i++) {
      const from = i * FINGERPRINT_LENGTH;
      const to = from + FINGERPRINT_LENGTH;
      if (!equalBytes(ours.subarray(from, to), theirs.subarray(from, to))) differing.push(i);
    }
    if (differing.length === 0) return;
    link.outbox.fruitless++;
    const backoffMs = Math.min(
      this.#options.config.digestIntervalMs * 2 ** Math.min(link.outbox.fruitless, 10),
      MAX_FRUITLESS_BACKOFF_MS,
    );
    link.outbox.digestNotBefore = after(now, backoffMs);
    this.#sendVersions(link, differing);
  }

  #compareVersions(
    link: Link,
    buckets: readonly number[],
    entries: readonly VersionEntry[],
    now: Instant,
  ): void {
    const wanted: WantedRecord[] = [];
    const listed = new Set<RecordKey>();
    for (const entry of entries) {
      const key = recordKey(entry.origin, entry.slot);
      listed.add(key);
      const held = this.#options.store.get(entry.origin, entry.slot);
      const order = held ? compareVersions(entry, held.record) : 1;
      const equivocal =
        held !== undefined && order === 0 && !equalBytes(fingerprint(held), entry.fingerprint);
      if ((order > 0 || equivocal) && this.#mayAsk(key, now))
        wanted.push({ origin: entry.origin, slot: entry.slot });
      if (order < 0 || equivocal) this.#push(link, key, now);
      if (order === 0 && !equivocal) this.known(link, key);
    }
    for (const bucket of buckets) {
      for (const { record } of this.#options.store.bucket(bucket)) {
        const key = recordKey(record.origin, record.slot);
        if (!listed.has(key)) this.#push(link, key, now);
      }
    }
    for (let i = 0; i < wanted.length; i += MAX_WANTED) {
      this.#send(link, { kind: 'want', wanted: wanted.slice(i, i + MAX_WANTED) });
    }
  }

  #mayAsk(key: RecordKey, now: Instant): boolean {
    const askedAt = this.#askedAtByKey.get(key);
    if (askedAt !== undefined && now - askedAt < ASK_AGAIN_AFTER_MS) return false;
    if (askedAt === undefined && this.#askedAtByKey.size >= MAX_ASKED) {
      this.#options.counters.add('gossip.want.dropped');
      return false;
    }
    this.#askedAtByKey.set(key, now);
    return true;
  }

  #forgetAsked(now: Instant): void {
    for (const [key, askedAt] of this.#askedAtByKey) {
      if (now - askedAt >= ASK_AGAIN_AFTER_MS) this.#askedAtByKey.delete(key);
    }
  }

  /** The versions in `buckets`. A bucket is called complete only where its list stands in one frame. */
  #sendVersions(link: Link, buckets: readonly number[]): void {
    let complete: number[] = [];
    let entries: VersionEntry[] = [];
    const send = (): void => {
      if (complete.length > 0 || entries.length > 0)
        this.#send(link, { kind: 'versions', buckets: complete, entries });
      complete = [];
      entries = [];
    };
    for (const bucket of buckets) {
      const list = [...this.#options.store.bucket(bucket)].map(entryOf);
      if (entries.length + list.length > MAX_VERSION_ENTRIES) send();
      if (list.length <= MAX_VERSION_ENTRIES) {
        complete.push(bucket);
        entries.push(...list);
        continue;
      }
      for (let i = 0; i < list.length; i += MAX_VERSION_ENTRIES) {
        entries = list.slice(i, i + MAX_VERSION_ENTRIES);
        send();
      }
    }
    send();
  }

  #sendRumours(link: Link, rumours: readonly Rumour[]): void {
    for (let i = 0; i < rumours.length; i += MAX_FRAME_RUMOURS) {
      this.#send(link, { kind: 'rumours', rumours: rumours.slice(i, i + MAX_FRAME_RUMOURS) });
    }
  }

  #randomLink(suits: (link: Link) => boolean): Link | undefined {
    const fit = [...this.#options.links.all()].filter((each) => !each.outbox.congestedSince && suits(each));
    return fit.length === 0 ? undefined : fit[randomBelow(this.#random, fit.length)];
  }

  #send(link: Link, frame: Frame): void {
    // Records wait in the outbox; what else there is to say is said again by the next digest.
    if (link.outbox.congestedSince !== undefined) {
      this.#options.counters.add('gossip.frame.congested');
      return;
    }
    this.#options.send(link, encodeFrame(frame));
  }

  #jittered(ms: number): number {
    return ms * (0.75 + 0.5 * randomUnit(this.#random));
  }

  /** Above 32 members slower by log2, as memberlist's push-pull. */
  #fullSyncIntervalMs(): number {
    const members = this.#options.memberCount();
    return this.#jittered(this.#options.config.fullSyncIntervalMs * Math.max(1, Math.log2(members / 32) + 1));
  }
}

/** The parts of gossip that records and rumours travel by. */
export interface DisseminationOptions {
  readonly config: GossipConfig;
  readonly random: RandomSource;
  readonly counters: Counters;
  readonly store: RecordStore;
  readonly links: Links;
  readonly send: (link: Link, bytes: Uint8Array) => void;
  readonly stateOf: (peer: PeerId) => MemberState;
  readonly allRumours: () => readonly Rumour[];
  readonly memberCount: () => number;
}

function allBuckets(): number[] {
  return Array.from({ length: BUCKET_COUNT }, (_, i) => i);
}

function entryOf(held: HashedRecord): VersionEntry {
  const { origin, slot, epoch, sequence } = held.record;
  return { origin, slot, epoch, sequence, fingerprint: fingerprint(held) };
}

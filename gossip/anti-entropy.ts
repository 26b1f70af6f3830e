import { equalBytes } from '../base/bytes.ts';
import type { Counters } from '../base/counters.ts';
import { after, earliest, type Instant } from '../base/instant.ts';
import { type RandomSource, randomBelow, randomUnit } from '../base/random.ts';
import type { Broadcast } from './broadcast.ts';
import type { GossipConfig } from './model/gossip-config.ts';
import type { GossipCounter } from './model/gossip-counters.ts';
import { compareVersions, type RecordKey, recordKey } from './model/record.ts';
import type { Rumour } from './model/rumour.ts';
import type { Link, Links } from './overlay/links.ts';
import {
  type Frame,
  MAX_VERSION_ENTRIES,
  MAX_WANTED,
  type VersionEntry,
  versionEntryOf,
  type WantedRecord,
} from './records/frame.ts';
import { BUCKET_COUNT, FINGERPRINT_LENGTH, fingerprint, type RecordStore } from './records/record-store.ts';

/** A record asked for of one peer is not asked for of another within this. */
const ASK_AGAIN_AFTER_MS = 500;
/** Records asked for and not yet come. */
const MAX_ASKED = 4096;
/** A store of up to so many records lists its versions at once on a new link, instead of a digest first. */
const SMALL_STORE = 64;
const MAX_FRUITLESS_BACKOFF_MS = 30_000;

/**
 * How two neighbours find what either lacks (anti-entropy).
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
 * *Full exchange*, every 30 s and slower in large clusters: all versions, and who is suspect or dead, to one link,
 * whatever the digests say.
 *
 * A link whose differences never mend (one side has no room, or skips a future slot) is asked ever more rarely.
 */
export class AntiEntropy {
  readonly #options: AntiEntropyOptions;
  readonly #random: RandomSource;
  readonly #askedAtByKey = new Map<RecordKey, Instant>();
  #nextDigestAt: Instant | undefined;
  #nextFullSyncAt: Instant | undefined;

  constructor(options: AntiEntropyOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  start(now: Instant): void {
    this.#nextDigestAt = after(now, this.#jittered(this.#options.config.digestIntervalMs));
    this.#nextFullSyncAt = after(now, this.#fullSyncIntervalMs());
  }

  /** What we hold under `key` came over `link`, and was new. */
  took(link: Link, key: RecordKey): void {
    this.#askedAtByKey.delete(key);
    this.#mended(link);
  }

  /** Begins the comparison over a new link; whoever dialled does. */
  begin(link: Link): void {
    const { store, broadcast } = this.#options;
    if (store.recordCount <= SMALL_STORE) this.#sendVersions(link, allBuckets());
    else broadcast.send(link, { kind: 'digest', root: store.root() });
  }

  /** One of the frames of the comparison. Returns false where the link has used up its allowance of answers. */
  handle(link: Link, frame: Frame, now: Instant): boolean {
    if (!link.outbox.answers.take(now)) return false;
    switch (frame.kind) {
      case 'digest':
        if (equalBytes(frame.root, this.#options.store.root())) this.#mended(link);
        else
          this.#options.broadcast.send(link, {
            kind: 'buckets',
            fingerprints: this.#options.store.buckets(),
          });
        break;
      case 'buckets':
        this.#compareBuckets(link, frame.fingerprints, now);
        break;
      case 'versions':
        this.#compareVersions(link, frame.buckets, frame.entries, now);
        break;
      case 'want':
        for (const { origin, slot } of frame.wanted) {
          if (this.#options.store.get(origin, slot))
            this.#options.broadcast.push(link, recordKey(origin, slot), now);
        }
    }
    return true;
  }

  tick(now: Instant): void {
    if (this.#nextDigestAt !== undefined && this.#nextDigestAt <= now) {
      this.#nextDigestAt = after(now, this.#jittered(this.#options.config.digestIntervalMs));
      const link = this.#randomLink((each) => (each.outbox.digestNotBefore ?? now) <= now);
      if (link) this.#options.broadcast.send(link, { kind: 'digest', root: this.#options.store.root() });
      this.#forgetAsked(now);
    }
    if (this.#nextFullSyncAt !== undefined && this.#nextFullSyncAt <= now) {
      this.#nextFullSyncAt = after(now, this.#fullSyncIntervalMs());
      const link = this.#randomLink(() => true);
      if (link) {
        // That somebody lives is told on a new link, and shows itself; what may have been missed is the rest.
        this.#options.broadcast.sendRumours(
          link,
          this.#options.allRumours().filter((rumour) => rumour.state !== 'alive'),
        );
        this.#sendVersions(link, allBuckets());
      }
    }
  }

  nextTimeout(): Instant | undefined {
    return earliest(this.#nextDigestAt, this.#nextFullSyncAt);
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
      const wants = (order > 0 || equivocal) && !this.#options.isUnwanted(entry);
      if (wants && this.#mayAsk(key, now)) wanted.push({ origin: entry.origin, slot: entry.slot });
      if (order < 0 || equivocal) this.#options.broadcast.push(link, key, now);
      if (order === 0 && !equivocal) this.#options.broadcast.known(link, key);
    }
    for (const bucket of buckets) {
      for (const { record } of this.#options.store.bucket(bucket)) {
        const key = recordKey(record.origin, record.slot);
        if (!listed.has(key)) this.#options.broadcast.push(link, key, now);
      }
    }
    for (let i = 0; i < wanted.length; i += MAX_WANTED) {
      this.#options.broadcast.send(link, { kind: 'want', wanted: wanted.slice(i, i + MAX_WANTED) });
    }
  }

  #mended(link: Link): void {
    link.outbox.fruitless = 0;
    link.outbox.digestNotBefore = undefined;
  }

  #mayAsk(key: RecordKey, now: Instant): boolean {
    const askedAt = this.#askedAtByKey.get(key);
    if (askedAt !== undefined && now - askedAt < ASK_AGAIN_AFTER_MS) return false;
    if (askedAt === undefined && this.#askedAtByKey.size >= MAX_ASKED) {
      this.#options.counters.add('gossip.wantDropped');
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
        this.#options.broadcast.send(link, { kind: 'versions', buckets: complete, entries });
      complete = [];
      entries = [];
    };
    for (const bucket of buckets) {
      const list = [...this.#options.store.bucket(bucket)].map(versionEntryOf);
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

  #randomLink(suits: (link: Link) => boolean): Link | undefined {
    const fit = [...this.#options.links.all()].filter((each) => !each.outbox.congestedSince && suits(each));
    return fit.length === 0 ? undefined : fit[randomBelow(this.#random, fit.length)];
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

/** The parts of gossip that the comparison with neighbours needs. */
interface AntiEntropyOptions {
  readonly config: GossipConfig;
  readonly random: RandomSource;
  readonly counters: Counters<GossipCounter>;
  readonly store: RecordStore;
  readonly links: Links;
  readonly broadcast: Broadcast;
  readonly allRumours: () => readonly Rumour[];
  readonly memberCount: () => number;
  /** Would be refused if it came. */
  readonly isUnwanted: (entry: VersionEntry) => boolean;
}

function allBuckets(): number[] {
  return Array.from({ length: BUCKET_COUNT }, (_, i) => i);
}

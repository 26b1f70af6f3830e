import type { Counters } from '../base/counters.ts';
import { earliest, type Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { type RandomSource, shuffle } from '../base/random.ts';
import type { GossipConfig } from './model/gossip-config.ts';
import type { GossipCounter } from './model/gossip-counters.ts';
import type { LinkId, MemberState } from './model/gossip-output.ts';
import { type RecordKey, splitRecordKey } from './model/record.ts';
import type { Rumour } from './model/rumour.ts';
import type { Link, Links } from './overlay/links.ts';
import {
  encodeFrame,
  type Frame,
  MAX_FRAME_RUMOURS,
  MAX_VERSION_ENTRIES,
  type SharedRecord,
  splitRecords,
  type VersionEntry,
  versionEntryOf,
} from './records/frame.ts';
import type { RecordStore } from './records/record-store.ts';

/** At most so many bytes of records to one link in one flush; the rest follows in the next. */
const MAX_FLUSH_BYTES = 256 * 1024;

/**
 * How news reaches everybody at once. A record that is new to us goes, batched, in full to a few links, and as an
 * announcement of its version to the rest. Every node does so once, so that a change floods the overlay in a few
 * hops, and the announcements close the holes. What is lost on the way is found by {@link AntiEntropy}.
 */
export class Broadcast {
  readonly #options: BroadcastOptions;

  constructor(options: BroadcastOptions) {
    this.#options = options;
  }

  /** A record newly held: tells everybody but the link it came from. */
  spread(key: RecordKey, from: LinkId | undefined, now: Instant): void {
    const { config } = this.#options;
    const targets = [...this.#options.links.all()].filter((link) => link.id !== from);
    shuffle(this.#options.random, targets);
    for (const [i, link] of targets.entries()) {
      const { outbox } = link;
      if (i < config.fanout) {
        outbox.lazy.delete(key);
        this.push(link, key, now);
      } else if (!outbox.eager.has(key)) {
        outbox.lazy.add(key);
        outbox.announceSoon(config.flushMs + config.announceDelayMs, now);
      }
    }
  }

  /** The far end of `link` holds what we hold under `key`. */
  known(link: Link, key: RecordKey): void {
    link.outbox.eager.delete(key);
    link.outbox.lazy.delete(key);
  }

  spreadRumour(rumour: Rumour, from: LinkId | undefined, now: Instant): void {
    for (const link of this.#options.links.all()) {
      if (link.id === from) continue;
      link.outbox.addRumour(rumour);
      link.outbox.flushSoon(this.#options.config.flushMs, now);
    }
  }

  /** A new link: it gets our own records, and all that we believe of members. */
  opened(link: Link, ownRecords: readonly RecordKey[], now: Instant): void {
    for (const key of ownRecords) this.push(link, key, now);
    this.sendRumours(link, this.#options.allRumours());
  }

  /** One record to one link, as it is when the link is flushed next. */
  push(link: Link, key: RecordKey, now: Instant): void {
    link.outbox.eager.add(key);
    link.outbox.flushSoon(this.#options.config.flushMs, now);
  }

  /** Rumours to one link, at once. */
  sendRumours(link: Link, rumours: readonly Rumour[]): void {
    for (let i = 0; i < rumours.length; i += MAX_FRAME_RUMOURS) {
      this.send(link, { kind: 'rumours', rumours: rumours.slice(i, i + MAX_FRAME_RUMOURS) });
    }
  }

  /** One frame to one link, unless that cannot take more at present. */
  send(link: Link, frame: Frame): void {
    // Records wait in the outbox; what else there is to say is said again by the next digest.
    if (link.outbox.congestedSince !== undefined) {
      this.#options.counters.add('gossip.frameCongested');
      return;
    }
    this.#options.send(link, encodeFrame(frame));
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
  }

  nextTimeout(): Instant | undefined {
    let first: Instant | undefined;
    for (const link of this.#options.links.all()) first = earliest(first, link.outbox.nextTimeout());
    return first;
  }

  /** Sends everything that waits, without waiting for more (before leaving). */
  flushAll(now: Instant): void {
    for (const link of this.#options.links.all()) this.#flush(link, now);
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
    for (const records of splitRecords(shared)) this.send(link, { kind: 'records', records });
    this.sendRumours(link, outbox.takeRumours());
  }

  #announce(link: Link): void {
    link.outbox.announceAt = undefined;
    const entries: VersionEntry[] = [];
    for (const key of link.outbox.lazy) {
      if (link.outbox.eager.has(key)) continue;
      const { origin, slot } = splitRecordKey(key);
      const held = this.#options.store.get(origin, slot);
      if (held) entries.push(versionEntryOf(held));
    }
    link.outbox.lazy.clear();
    for (let i = 0; i < entries.length; i += MAX_VERSION_ENTRIES) {
      this.send(link, { kind: 'versions', buckets: [], entries: entries.slice(i, i + MAX_VERSION_ENTRIES) });
    }
  }
}

/** The parts of gossip that news travels by. */
interface BroadcastOptions {
  readonly config: GossipConfig;
  readonly random: RandomSource;
  readonly counters: Counters<GossipCounter>;
  readonly store: RecordStore;
  readonly links: Links;
  readonly send: (link: Link, bytes: Uint8Array) => void;
  readonly stateOf: (peer: PeerId) => MemberState;
  readonly allRumours: () => readonly Rumour[];
}

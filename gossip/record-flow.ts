import type { Counters } from '../base/counters.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { AntiEntropy } from './anti-entropy.ts';
import type { Broadcast } from './broadcast.ts';
import type { GossipCounter } from './model/gossip-counters.ts';
import type { GossipOutput, Member, MemberState } from './model/gossip-output.ts';
import type { NodeInfo } from './model/node-info.ts';
import { compareVersions, type RecordKey, recordKey, type SignedRecord } from './model/record.ts';
import type { Link, Links } from './overlay/links.ts';
import type { Overlay } from './overlay/overlay.ts';
import type { OverlayGraph } from './overlay/overlay-graph.ts';
import { encodeForgets, type Forget, type Forgotten, MAX_FORGETS_OF_ISSUER } from './records/forgotten.ts';
import type { SharedRecord } from './records/frame.ts';
import type { OwnRecords } from './records/own-records.ts';
import type { Intake, RecordIntake, RestoreRefusal } from './records/record-intake.ts';
import type { RecordStore } from './records/record-store.ts';
import type { Membership } from './swim/membership.ts';
import type { RumourQueue } from './swim/rumour-queue.ts';

const COUNTER_BY_REFUSAL: Readonly<Record<RestoreRefusal, GossipCounter>> = {
  stale: 'gossip.restoreStale',
  full: 'gossip.restoreNoRoom',
  payload: 'gossip.restoreBadPayload',
  signature: 'gossip.restoreBadSignature',
};

/**
 * What a record does once it is here: those from disk and from links pass the gate (record-intake.ts), then tell
 * membership, the graph and the overlay of their origin, travel on, and come out as `record`; those of our own are
 * signed when due and go the same way.
 */
export class RecordFlow {
  readonly #options: RecordFlowOptions;
  readonly #infoByPeer = new Map<PeerId, NodeInfo>();

  constructor(options: RecordFlowOptions) {
    this.#options = options;
  }

  /** What `peer` says of itself; undefined where its `node` record is not held. */
  infoOf(peer: PeerId): NodeInfo | undefined {
    return this.#infoByPeer.get(peer);
  }

  /** All other peers whose `node` record is held. */
  members(): Member[] {
    const { membership, store } = this.#options;
    const out: Member[] = [];
    for (const [peer, state] of membership.peers()) {
      const held = store.get(peer, 'node')?.record;
      const info = this.#infoByPeer.get(peer);
      const since = membership.since(peer);
      if (held && info && since !== undefined)
        out.push({ peer, state, since, version: { epoch: held.epoch, sequence: held.sequence }, info });
    }
    return out;
  }

  /** Records from our own disk. Nothing is known of the life of their origins. */
  restore(records: readonly SignedRecord[], now: Instant): void {
    const { self, intake, own, counters, forgotten, emit } = this.#options;
    for (const record of records) {
      const taken = intake.restore(record);
      if (!taken.ok) {
        counters.add(COUNTER_BY_REFUSAL[taken.reason]);
        continue;
      }
      emit({ type: 'record', record, restored: true });
      if (taken.value.forgets) forgotten.set(record.origin, taken.value.forgets);
      if (record.origin === self) {
        if (record.epoch > own.epoch) emit({ type: 'ownRecordAhead', record });
      } else if (taken.value.info) this.#knowNode(record, taken.value.info, 'unknown', now);
    }
    for (const peer of [...this.#infoByPeer.keys()]) this.letGoIfListed(peer);
  }

  /** Records that came over `link`. False where it was closed on the way, for forgeries among them. */
  take(link: Link, records: readonly SharedRecord[], now: Instant): boolean {
    const { intake, links, store, broadcast, offend, emit } = this.#options;
    for (const { record, state } of records) {
      const taken = intake.take(record, now);
      if (!taken.ok && (taken.reason === 'signature' || taken.reason === 'payload')) {
        if (taken.reason === 'payload' && record.origin === link.peer)
          emit({ type: 'recordRefused', peer: link.peer });
        offend(link, now);
        // A frame full of forgeries costs no more verifications than it takes to close the link.
        if (!links.get(link.id)) return false;
        continue;
      }
      const key = recordKey(record.origin, record.slot);
      const held = store.get(record.origin, record.slot)?.record;
      if (held && compareVersions(held, record) <= 0) broadcast.known(link, key);
      if (taken.ok) this.#took(link, key, taken.value, state, now);
    }
    return true;
  }

  /** Signs what is due of our own, and spreads it. */
  publishDue(now: Instant): void {
    const { links, own, broadcast, emit } = this.#options;
    for (const record of own.publishDue([...links.peers()].sort(), now)) {
      emit({ type: 'record', record, restored: false });
      broadcast.spread(recordKey(record.origin, record.slot), undefined, now);
    }
  }

  /**
   * Forgets a peer that is not present, and has all others forget it. It is back as soon as it says anything new.
   * `unknown`: its `node` record is not held. `present`: it is not gone. Both change nothing.
   */
  forget(peer: PeerId, now: Instant): 'unknown' | 'present' | undefined {
    const { self, store, membership, own, forgotten } = this.#options;
    const held = store.get(peer, 'node')?.record;
    if (held === undefined || peer === self) return 'unknown';
    if (membership.isPresent(peer)) return 'present';
    const others = forgotten.listOf(self).filter((line) => line.subject !== peer && !this.#isBack(line));
    const version = { epoch: held.epoch, sequence: held.sequence };
    const list = [...others, { subject: peer, version }].slice(-MAX_FORGETS_OF_ISSUER);
    forgotten.set(self, list);
    own.set('forgotten', encodeForgets(list), now);
    this.letGoIfListed(peer);
    this.publishDue(now);
    return undefined;
  }

  /** Lets the `node` record of `peer` go where somebody has it forgotten and it is not present. */
  letGoIfListed(peer: PeerId): void {
    const { store, membership, intake, forgotten, emit } = this.#options;
    const held = store.get(peer, 'node')?.record;
    if (held === undefined || membership.isPresent(peer) || !forgotten.isListed(peer, held)) return;
    forgotten.letGo(peer, { epoch: held.epoch, sequence: held.sequence });
    intake.dropNode(peer);
    this.#forgetNode(peer);
    emit({ type: 'recordGone', origin: peer, slot: 'node' });
  }

  /** Whom a full store forgets first: longest absent, and nothing of the ring: dead, gone or never heard. */
  leastWanted(): PeerId | undefined {
    const { self, store, membership, links } = this.#options;
    let found: PeerId | undefined;
    let earliestSince = Number.POSITIVE_INFINITY;
    for (const origin of store.origins()) {
      if (origin === self || membership.isPresent(origin) || links.has(origin)) continue;
      const since = membership.since(origin) ?? 0;
      if (since < earliestSince && store.isEvictable(origin)) {
        found = origin;
        earliestSince = since;
      }
    }
    return found;
  }

  #took(link: Link, key: RecordKey, taken: Intake, state: MemberState, now: Instant): void {
    const { self, counters, broadcast, antiEntropy, own, forgotten, emit } = this.#options;
    const { record, info, forgets } = taken;
    for (const { origin, slot } of taken.evicted) {
      emit({ type: 'recordGone', origin, slot });
      if (slot === 'node') this.#forgetNode(origin);
      if (slot === 'forgotten') forgotten.remove(origin);
    }
    if (taken.equivocation) {
      counters.add('gossip.equivocation');
      emit({ type: 'equivocation', kept: record, other: taken.equivocation });
    }
    if (record === taken.previous) return; // only the proof was new
    antiEntropy.took(link, key);
    broadcast.spread(key, link.id, now);
    if (forgets) forgotten.set(record.origin, forgets);
    if (record.origin === self) {
      counters.add('gossip.ownAhead');
      emit({ type: 'ownRecordAhead', record });
      own.behind(record.slot, now);
      return;
    }
    emit({ type: 'record', record, restored: false });
    if (info) this.#knowNode(record, info, state, now);
    if (info) this.letGoIfListed(record.origin);
    for (const { subject, version } of forgets ?? []) {
      if (subject === self) own.wasForgotten(version, now);
      else this.letGoIfListed(subject);
    }
  }

  #knowNode(record: SignedRecord, info: NodeInfo, told: MemberState, now: Instant): void {
    const { graph, membership, links, overlay } = this.#options;
    const { origin, epoch, sequence } = record;
    const isNew = !this.#infoByPeer.has(origin);
    this.#infoByPeer.set(origin, info);
    graph.setClaims(origin, info.links);
    membership.know(origin, { epoch, sequence }, info.leaving === true, told, now);
    if (isNew && !links.has(origin)) overlay.reviewSoon(now);
  }

  /** A newer record than the one that was to go is held. */
  #isBack({ subject, version }: Forget): boolean {
    const held = this.#options.store.get(subject, 'node')?.record;
    return held !== undefined && compareVersions(held, version) > 0;
  }

  #forgetNode(peer: PeerId): void {
    const { graph, membership, rumours } = this.#options;
    this.#infoByPeer.delete(peer);
    graph.remove(peer);
    membership.forget(peer);
    rumours.drop(peer);
  }
}

/** The parts of gossip that a record touches. */
interface RecordFlowOptions {
  readonly self: PeerId;
  readonly counters: Counters<GossipCounter>;
  readonly store: RecordStore;
  readonly intake: RecordIntake;
  readonly own: OwnRecords;
  readonly links: Links;
  readonly graph: OverlayGraph;
  readonly membership: Membership;
  readonly rumours: RumourQueue;
  readonly forgotten: Forgotten;
  readonly broadcast: Broadcast;
  readonly antiEntropy: AntiEntropy;
  readonly overlay: Overlay;
  /** The link has passed on a forgery; may close it. */
  readonly offend: (link: Link, now: Instant) => void;
  readonly emit: (output: GossipOutput) => void;
}

import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { after, earliest, type Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { Dissemination } from './dissemination.ts';
import { decodeFrame, encodeFrame, type Frame, type FrameFault, type SharedRecord } from './frame.ts';
import { DEFAULT_GOSSIP_CONFIG, type GossipConfig } from './gossip-config.ts';
import type { GossipOptions, OwnInfo } from './gossip-options.ts';
import type { CloseReason, GossipOutput, LinkId, Member } from './gossip-output.ts';
import { type Link, Links } from './links.ts';
import { Membership } from './membership.ts';
import type { NodeInfo } from './node-info.ts';
import { Overlay } from './overlay.ts';
import { OverlayGraph } from './overlay-graph.ts';
import { OwnRecords } from './own-records.ts';
import {
  CLUSTER_ID_LENGTH,
  compareVersions,
  type RecordKey,
  recordKey,
  type SignedRecord,
  type Slot,
} from './record.ts';
import { type Intake, RecordIntake } from './record-intake.ts';
import { RecordStore } from './record-store.ts';
import type { Rumour } from './rumour.ts';
import { RumourQueue } from './rumour-queue.ts';
import { Swim } from './swim.ts';
import type { SwimFault } from './swim-packet.ts';
import { TokenBucket } from './token-bucket.ts';

/** Faults that an honest peer does not commit; at this many its link is closed and it is shut out for a while. */
export const MAX_OFFENCES = 3;
const BAN_MS = 60_000;
export const MAX_BANS = 256;
const LINK_CHECK_MS = 1_000;
/** Keepalives missed until a link is given up. */
const SILENT_AFTER_KEEPALIVES = 3;
/** A link whose shell could not send for so long is given up. */
const CONGESTED_FOR_MS = 30_000;
/** New suspicions taken on hearsay: at once, and a second. A liar cannot keep the whole cluster refuting. */
const SUSPECT_BURST = 128;
const SUSPECTS_PER_SECOND = 16;

/**
 * Gossip: finds everybody from one address, holds the signed records of all, and knows who lives.
 *
 * Pure: time and bytes in, {@link GossipOutput} out. Call {@link tick} at {@link nextTimeout}, drain {@link poll}
 * after every call. The shell makes connections (TCP, Noise XX, which tells the peer's identity) and reports them as
 * links; datagrams travel in the tunnels. All else is decided here:
 *
 * | part | decides |
 * |---|---|
 * | record-intake, record-store | which records are genuine and newest |
 * | dissemination | what is sent over links, so that all hold the same |
 * | membership, swim | who lives |
 * | overlay, dialler, links | which links to keep and which to dial |
 * | overlay-graph | ways over the links, for relays |
 *
 * Peers' faults are counted under `gossip.…` and never thrown.
 */
export class Gossip {
  readonly #self: PeerId;
  readonly #config: GossipConfig;
  readonly #counters: Counters;
  readonly #outputs: GossipOutput[] = [];
  #outputsRead = 0;
  readonly #store: RecordStore;
  readonly #intake: RecordIntake;
  readonly #own: OwnRecords;
  readonly #infoByPeer = new Map<PeerId, NodeInfo>();
  readonly #links: Links;
  readonly #graph: OverlayGraph;
  readonly #membership: Membership;
  readonly #rumours = new RumourQueue();
  readonly #swim: Swim;
  readonly #dissemination: Dissemination;
  readonly #overlay: Overlay;
  readonly #bannedUntil = new Map<PeerId, Instant>();
  readonly #hearsay = new TokenBucket(SUSPECT_BURST, SUSPECTS_PER_SECOND);
  #nextLinkCheckAt: Instant | undefined;
  #started = false;
  #leaving = false;
  /** The time of the call being served, and the link whose frame it is. */
  #now = 0 as Instant;
  #from: LinkId | undefined;

  constructor(options: GossipOptions) {
    assert(options.clusterId.length === CLUSTER_ID_LENGTH, 'a cluster id has 16 bytes');
    const config = { ...DEFAULT_GOSSIP_CONFIG, ...options.config };
    const { self, crypto, random, counters } = options;
    this.#self = self;
    this.#config = config;
    this.#counters = counters;
    this.#store = new RecordStore({ maxOrigins: config.maxOrigins, maxBytes: config.maxStoreBytes });
    this.#intake = new RecordIntake({
      clusterId: options.clusterId,
      crypto,
      store: this.#store,
      counters,
      leastWanted: () => this.#leastWanted(),
    });
    this.#own = new OwnRecords({
      self,
      epoch: options.epoch,
      store: this.#store,
      intake: this.#intake,
      counters,
    });
    this.#links = new Links(self);
    this.#membership = new Membership({
      self,
      config,
      events: {
        changed: (peer, state) => this.#memberChanged(peer, state),
        rumour: (rumour) => this.#tell(rumour),
        doubt: (peer) => this.#swim.doubt(peer, this.#now),
      },
    });
    this.#graph = new OverlayGraph((peer) => this.#membership.isPresent(peer));
    this.#swim = new Swim({
      self,
      config,
      random,
      counters,
      membership: this.#membership,
      rumours: this.#rumours,
      send: (to, bytes) => this.#outputs.push({ type: 'packet', to, bytes }),
    });
    this.#dissemination = new Dissemination({
      config,
      random,
      counters,
      store: this.#store,
      links: this.#links,
      send: (link, bytes) => this.#sendFrame(link, bytes),
      stateOf: (peer) => (peer === self ? 'alive' : (this.#membership.stateOf(peer) ?? 'unknown')),
      allRumours: () => this.#allRumours(),
      memberCount: () => this.#membership.presentCount,
    });
    this.#overlay = new Overlay({
      self,
      config,
      random,
      membership: this.#membership,
      links: this.#links,
      graph: this.#graph,
      infoOf: (peer) => this.#infoByPeer.get(peer),
      dial: (endpoint, expected) =>
        this.#outputs.push({ type: 'dial', endpoint, ...(expected ? { expected } : {}) }),
      close: (link, reason) => this.#close(link, reason),
      redirect: (link, endpoints) => this.#sendFrame(link, encodeFrame({ kind: 'redirect', endpoints })),
    });
  }

  // ── what the daemon wants ──

  /**
   * Records kept from before, ours among them: once, at the start. They are verified; each that is good comes out as
   * a `record` with `restored`. Their origins are known peers, to be dialled; nothing is known yet of their life.
   */
  restore(records: readonly SignedRecord[], now: Instant): void {
    this.#enter(now);
    for (const record of records) {
      const taken = this.#intake.restore(record);
      if (!taken.ok) {
        this.#counters.add(`gossip.restore.${taken.reason}`);
        continue;
      }
      this.#outputs.push({ type: 'record', record, restored: true });
      if (record.origin === this.#self) {
        if (record.epoch > this.#own.epoch) this.#outputs.push({ type: 'ownRecordAhead', record });
      } else if (taken.value.info) this.#knowNode(record, taken.value.info, 'unknown');
    }
    this.#overlay.reviewSoon(now);
  }

  /** Where to look for peers: all of it, replacing what was given before. */
  setSeeds(endpoints: readonly Endpoint[], now: Instant): void {
    this.#enter(now);
    this.#overlay.setSeeds(endpoints, now);
  }

  /** Takes one endpoint from the seeds. Peers that were found through it stay. */
  forget(endpoint: Endpoint, now: Instant): void {
    this.setSeeds(
      this.#overlay.seeds.filter((seed) => seed !== endpoint),
      now,
    );
  }

  /** What we are; published when it differs from what was said last. */
  setInfo(info: OwnInfo, now: Instant): void {
    this.#enter(now);
    this.#own.setInfo(info, now);
    this.#publishDue(now);
  }

  /** The payload of our `ring` or `paxos` record: signed, held, and spread; several in quick succession as one. */
  publish(slot: Exclude<Slot, 'node'>, payload: Uint8Array, now: Instant): void {
    this.#enter(now);
    this.#own.set(slot, payload, now);
    this.#publishDue(now);
  }

  /** After `ownRecordAhead`: our epoch from now on, above any of ours that others hold. Lower ones are ignored. */
  raiseEpoch(epoch: number, now: Instant): void {
    this.#enter(now);
    this.#own.raiseEpoch(epoch, now);
    this.#publishDue(now);
  }

  /** Says goodbye in a signed record, closes all links, and does nothing more. */
  leave(now: Instant): void {
    this.#enter(now);
    this.#own.leave(now);
    this.#publishDue(now);
    this.#dissemination.flushAll(now);
    this.#leaving = true;
    for (const link of [...this.#links.all()]) this.#close(link, 'leaving');
  }

  // ── what the shell reports ──

  /** A connection stands, and the handshake has told whose it is. `remote`: for a dial of ours what was dialled. */
  linkOpened(id: LinkId, peer: PeerId, initiatedByUs: boolean, remote: Endpoint, now: Instant): void {
    this.#enter(now);
    if (initiatedByUs) this.#overlay.opened(remote, peer, now);
    const refusal = this.#refusalOf(peer, now);
    if (refusal) {
      this.#counters.add(`gossip.link.${refusal}`);
      if (initiatedByUs && refusal === 'banned') this.#overlay.dialFailed(remote, now);
      this.#outputs.push({ type: 'closeLink', link: id, reason: refusal });
      return;
    }
    const closing = this.#links.add({ id, peer, initiatedByUs, endpoint: remote }, now);
    for (const link of closing) this.#close(link, 'duplicate');
    const link = this.#links.get(id);
    if (!link) return;
    this.#membership.heard(peer, now);
    this.#linksChanged();
    this.#dissemination.opened(link, this.#own.keys(), now);
  }

  linkClosed(id: LinkId, now: Instant): void {
    this.#enter(now);
    const link = this.#links.remove(id);
    if (link) this.#gone(link, undefined);
  }

  dialFailed(endpoint: Endpoint, now: Instant): void {
    this.#enter(now);
    this.#overlay.dialFailed(endpoint, now);
    this.#overlay.reviewSoon(now);
  }

  /** The shell's send buffer of the link is above its mark (`true`) or beneath again. Bounds what a slow link costs. */
  linkCongested(id: LinkId, congested: boolean, now: Instant): void {
    this.#enter(now);
    const link = this.#links.get(id);
    if (link) this.#dissemination.setCongested(link, congested, now);
  }

  /** One frame. The failures are counted already; `unknown` is no fault of the peer. */
  handleFrame(id: LinkId, bytes: Uint8Array, now: Instant): Result<void, HandleFault> {
    this.#enter(now);
    const link = this.#links.get(id);
    if (!link) return this.#fault('link');
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) {
      if (decoded.reason !== 'unknown') this.#offend(link);
      return this.#fault(decoded.reason);
    }
    link.heardAt = now;
    this.#from = id;
    const handled = this.#handle(link, decoded.value);
    this.#from = undefined;
    // After the records, so that a newcomer's first frame makes it a member before it makes it alive.
    if (this.#links.get(id)) this.#membership.heard(link.peer, now);
    return handled;
  }

  /** One SWIM datagram (without the channel byte); the tunnel has authenticated `from`. */
  handlePacket(from: PeerId, bytes: Uint8Array, now: Instant): Result<void, HandleFault> {
    this.#enter(now);
    if (this.#leaving || from === this.#self) return this.#fault('link');
    const handled = this.#swim.handle(from, bytes, now);
    if (!handled.ok) return this.#fault(handled.reason);
    this.#membership.heard(from, now);
    this.#hear(handled.value);
    return ok(undefined);
  }

  tick(now: Instant): void {
    this.#enter(now);
    if (this.#leaving) return;
    this.#swim.tick(now);
    this.#membership.tick(now);
    this.#publishDue(now);
    if (this.#nextLinkCheckAt !== undefined && this.#nextLinkCheckAt <= now) this.#checkLinks(now);
    this.#overlay.tick(now);
    this.#dissemination.tick(now);
  }

  nextTimeout(): Instant | undefined {
    if (this.#leaving || !this.#started) return undefined;
    return earliest(
      this.#swim.nextTimeout(),
      this.#membership.nextTimeout(),
      this.#own.nextTimeout(),
      this.#nextLinkCheckAt,
      this.#overlay.nextTimeout(),
      this.#dissemination.nextTimeout(),
    );
  }

  poll(): GossipOutput | undefined {
    const next = this.#outputs[this.#outputsRead];
    if (next) {
      this.#outputsRead++;
    } else {
      this.#outputs.length = 0;
      this.#outputsRead = 0;
    }
    return next;
  }

  // ── what others ask ──

  get epoch(): number {
    return this.#own.epoch;
  }

  /** All other peers whose `node` record is held. */
  members(): Member[] {
    const out: Member[] = [];
    for (const [peer, state] of this.#membership.peers()) {
      const held = this.#store.get(peer, 'node')?.record;
      const info = this.#infoByPeer.get(peer);
      if (held && info)
        out.push({ peer, state, version: { epoch: held.epoch, sequence: held.sequence }, info });
    }
    return out;
  }

  record(origin: PeerId, slot: Slot): SignedRecord | undefined {
    return this.#store.get(origin, slot)?.record;
  }

  /** Our neighbours that begin a shortest way over overlay links to `to`: candidates for a relay. */
  nextHops(to: PeerId): readonly PeerId[] {
    return this.#graph.nextHops(to);
  }

  links(): { link: LinkId; peer: PeerId; initiatedByUs: boolean; endpoint: Endpoint }[] {
    return [...this.#links.all()].map(({ id, peer, initiatedByUs, endpoint }) => ({
      link: id,
      peer,
      initiatedByUs,
      endpoint,
    }));
  }

  seeds(): readonly Endpoint[] {
    return this.#overlay.seeds;
  }

  // ── within ──

  #enter(now: Instant): void {
    this.#now = now;
    if (this.#started) return;
    this.#started = true;
    this.#swim.start(now);
    this.#dissemination.start(now);
    this.#nextLinkCheckAt = after(now, LINK_CHECK_MS);
    this.#overlay.reviewSoon(now);
  }

  #handle(link: Link, frame: Frame): Result<void, HandleFault> {
    switch (frame.kind) {
      case 'records':
        return this.#takeRecords(link, frame.records);
      case 'rumours':
        this.#hear(frame.rumours);
        return ok(undefined);
      case 'redirect':
        link.redirected = true;
        this.#overlay.addHints(link.peer, frame.endpoints, this.#now);
        return ok(undefined);
      case 'keepalive':
        return ok(undefined);
      default:
        return this.#dissemination.handle(link, frame, this.#now) ? ok(undefined) : this.#fault('busy');
    }
  }

  #takeRecords(link: Link, records: readonly SharedRecord[]): Result<void, HandleFault> {
    for (const { record, state } of records) {
      const taken = this.#intake.take(record, this.#now);
      if (!taken.ok && (taken.reason === 'signature' || taken.reason === 'payload')) {
        this.#offend(link);
        // A frame full of forgeries costs no more verifications than it takes to close the link.
        if (!this.#links.get(link.id)) return fail('malformed');
        continue;
      }
      const key = recordKey(record.origin, record.slot);
      const held = this.#store.get(record.origin, record.slot)?.record;
      if (held && compareVersions(held, record) <= 0) this.#dissemination.known(link, key);
      if (taken.ok) this.#took(link, key, taken.value, state);
    }
    return ok(undefined);
  }

  #took(link: Link, key: RecordKey, taken: Intake, state: SharedRecord['state']): void {
    const { record, info } = taken;
    for (const { origin, slot } of taken.evicted) {
      this.#outputs.push({ type: 'recordGone', origin, slot });
      if (slot === 'node') this.#forgetNode(origin);
    }
    if (taken.equivocation) {
      this.#counters.add('gossip.record.equivocation');
      this.#outputs.push({ type: 'equivocation', kept: record, other: taken.equivocation });
    }
    if (record === taken.previous) return; // only the proof was new
    this.#dissemination.fruitful(link);
    this.#dissemination.spread(key, link.id, this.#now);
    if (record.origin === this.#self) {
      this.#counters.add('gossip.own.ahead');
      this.#outputs.push({ type: 'ownRecordAhead', record });
      this.#own.behind(record.slot, this.#now);
      return;
    }
    this.#outputs.push({ type: 'record', record, restored: false });
    if (info) this.#knowNode(record, info, state);
  }

  #knowNode(record: SignedRecord, info: NodeInfo, told: SharedRecord['state']): void {
    const { origin, epoch, sequence } = record;
    const isNew = !this.#infoByPeer.has(origin);
    this.#infoByPeer.set(origin, info);
    this.#graph.setClaims(origin, info.links);
    this.#membership.know(origin, { epoch, sequence }, info.leaving === true, told, this.#now);
    if (isNew && !this.#links.has(origin)) this.#overlay.reviewSoon(this.#now);
  }

  #forgetNode(peer: PeerId): void {
    this.#infoByPeer.delete(peer);
    this.#graph.remove(peer);
    this.#membership.forget(peer);
    this.#rumours.drop(peer);
  }

  /** Rumours, of which those about ourselves are refuted, and new suspicions are rationed. */
  #hear(rumours: readonly Rumour[]): void {
    for (const rumour of rumours) {
      if (rumour.subject === this.#self) {
        if (rumour.state !== 'alive' && this.#own.refute(rumour.version, this.#now)) this.#swim.refuted();
        continue;
      }
      const accuses = rumour.state === 'suspect' && this.#membership.stateOf(rumour.subject) === 'alive';
      if (accuses && !this.#hearsay.take(this.#now)) this.#counters.add('gossip.rumour.rationed');
      else this.#membership.rumour(rumour, this.#now);
    }
  }

  #tell(rumour: Rumour): void {
    this.#rumours.put(rumour, this.#membership.presentCount);
    this.#dissemination.spreadRumour(rumour, this.#from, this.#now);
  }

  #allRumours(): Rumour[] {
    const out: Rumour[] = [];
    for (const [peer] of this.#membership.peers()) {
      const rumour = this.#membership.rumourOf(peer);
      if (rumour) out.push(rumour);
    }
    return out;
  }

  #memberChanged(peer: PeerId, state: Exclude<Member['state'], 'unknown'>): void {
    this.#outputs.push({ type: 'member', peer, state });
    this.#graph.touch();
    if (state === 'alive') {
      this.#rumours.drop(peer);
      this.#overlay.revived(peer, this.#now);
    }
    if (state === 'dead') for (const link of this.#links.to(peer)) this.#close(link, 'dead');
  }

  #publishDue(now: Instant): void {
    const peers = [...this.#links.peers()].sort();
    for (const record of this.#own.publishDue(peers, now)) {
      this.#outputs.push({ type: 'record', record, restored: false });
      this.#dissemination.spread(recordKey(record.origin, record.slot), undefined, now);
    }
  }

  #checkLinks(now: Instant): void {
    this.#nextLinkCheckAt = after(now, LINK_CHECK_MS);
    for (const [peer, until] of this.#bannedUntil) if (until <= now) this.#bannedUntil.delete(peer);
    for (const link of [...this.#links.all()]) {
      const congestedSince = link.outbox.congestedSince ?? now;
      const silentMs = now - link.heardAt;
      if (
        silentMs > SILENT_AFTER_KEEPALIVES * this.#config.keepaliveMs ||
        now - congestedSince > CONGESTED_FOR_MS
      ) {
        this.#close(link, 'silent');
      } else if (now - link.saidAt >= this.#config.keepaliveMs && link.outbox.congestedSince === undefined) {
        this.#sendFrame(link, encodeFrame({ kind: 'keepalive' }));
      }
    }
  }

  #sendFrame(link: Link, bytes: Uint8Array): void {
    link.saidAt = this.#now;
    this.#outputs.push({ type: 'frame', link: link.id, bytes });
  }

  #refusalOf(peer: PeerId, now: Instant): CloseReason | undefined {
    if (peer === this.#self) return 'self';
    if (this.#leaving) return 'leaving';
    return (this.#bannedUntil.get(peer) ?? now) > now ? 'banned' : undefined;
  }

  #offend(link: Link): void {
    link.offences++;
    this.#counters.add('gossip.offence');
    if (link.offences < MAX_OFFENCES || !this.#links.get(link.id)) return;
    if (this.#bannedUntil.size < MAX_BANS) this.#bannedUntil.set(link.peer, after(this.#now, BAN_MS));
    this.#close(link, 'offence');
  }

  #close(link: Link, reason: CloseReason): void {
    if (!this.#links.remove(link.id)) return;
    this.#counters.add(`gossip.link.${reason}`);
    this.#outputs.push({ type: 'closeLink', link: link.id, reason });
    this.#gone(link, reason);
  }

  #gone(link: Link, reason: CloseReason | undefined): void {
    this.#linksChanged();
    this.#overlay.closed(link, reason, this.#now);
    // A lost connection is the quickest sign of a dead peer: ask at once.
    const unexpected = (reason === undefined && !link.redirected) || reason === 'silent';
    if (unexpected && !this.#links.has(link.peer) && this.#membership.isPresent(link.peer)) {
      this.#swim.doubt(link.peer, this.#now);
    }
  }

  #linksChanged(): void {
    this.#graph.setOwn(this.#links.peers());
    this.#own.linksChanged(this.#now);
    this.#overlay.reviewSoon(this.#now);
  }

  /** Longest absent, and nothing of the ring: dead, gone or never heard. */
  #leastWanted(): PeerId | undefined {
    let found: PeerId | undefined;
    let earliestSince = Number.POSITIVE_INFINITY;
    for (const origin of this.#store.origins()) {
      if (origin === this.#self || this.#membership.isPresent(origin) || this.#links.has(origin)) continue;
      const since = this.#membership.since(origin) ?? 0;
      if (since < earliestSince && this.#store.isEvictable(origin)) {
        found = origin;
        earliestSince = since;
      }
    }
    return found;
  }

  #fault(reason: HandleFault): { readonly ok: false; readonly reason: HandleFault } {
    this.#counters.add(`gossip.dropped.${reason}`);
    return fail(reason);
  }
}

/** `link`: no such link (closed meanwhile). `busy`: the peer asks too much; it may ask again. */
export type HandleFault = FrameFault | SwimFault | 'link' | 'busy';

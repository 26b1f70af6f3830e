import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { earliest, type Instant } from '../base/instant.ts';
import { OutputQueue } from '../base/output-queue.ts';
import type { PeerId } from '../base/peer-id.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { AntiEntropy } from './anti-entropy.ts';
import { Broadcast } from './broadcast.ts';
import { COUNTER_BY_FAULT, type HandleFault } from './handle-fault.ts';
import { Hearsay } from './hearsay.ts';
import { LinkUpkeep } from './link-upkeep.ts';
import { DEFAULT_GOSSIP_CONFIG } from './model/gossip-config.ts';
import type { GossipCounter } from './model/gossip-counters.ts';
import type { GossipOptions, OwnInfo } from './model/gossip-options.ts';
import type { GossipOutput, LinkId, Member } from './model/gossip-output.ts';
import { CLUSTER_ID_LENGTH, type SignedRecord, type Slot } from './model/record.ts';
import { type Link, type LinkSummary, Links } from './overlay/links.ts';
import { Overlay } from './overlay/overlay.ts';
import { OverlayGraph } from './overlay/overlay-graph.ts';
import { RecordFlow } from './record-flow.ts';
import { Forgotten } from './records/forgotten.ts';
import { decodeFrame, encodeFrame, type Frame } from './records/frame.ts';
import { OwnRecords } from './records/own-records.ts';
import { RecordIntake } from './records/record-intake.ts';
import { RecordStore } from './records/record-store.ts';
import { Membership } from './swim/membership.ts';
import { RumourQueue } from './swim/rumour-queue.ts';
import { Swim } from './swim/swim.ts';

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
 * | forgotten | which records are to go, since their origin was removed |
 * | record-flow | whom a new record concerns |
 * | broadcast | how news reaches everybody at once |
 * | anti-entropy | how two neighbours find what either lacks |
 * | membership, swim, hearsay | who lives |
 * | overlay, dialler, links | which links to keep and which to dial |
 * | link-upkeep | whom to let in, and when a link is given up |
 * | overlay-graph | ways over the links, for relays |
 *
 * Peers' faults are counted under `gossip.…` and never thrown.
 */
export class Gossip {
  readonly #self: PeerId;
  readonly #counters: Counters<GossipCounter>;
  readonly #outputs = new OutputQueue<GossipOutput>();
  readonly #store: RecordStore;
  readonly #forgotten = new Forgotten();
  readonly #own: OwnRecords;
  readonly #links: Links;
  readonly #graph: OverlayGraph;
  readonly #membership: Membership;
  readonly #rumours = new RumourQueue();
  readonly #swim: Swim;
  readonly #broadcast: Broadcast;
  readonly #antiEntropy: AntiEntropy;
  readonly #overlay: Overlay;
  readonly #records: RecordFlow;
  readonly #upkeep: LinkUpkeep;
  readonly #hearsay: Hearsay;
  #started = false;
  #leaving = false;
  /** The time of the call being served, and the link whose frame it is. */
  #now = 0 as Instant;
  #from: LinkId | undefined;

  constructor(options: GossipOptions) {
    assert(options.clusterId.length === CLUSTER_ID_LENGTH, 'a cluster id has 16 bytes');
    const config = { ...DEFAULT_GOSSIP_CONFIG, ...options.config };
    const { self, crypto, random, counters } = options;
    const emit = (output: GossipOutput): void => this.#outputs.push(output);
    this.#self = self;
    this.#counters = counters;
    this.#store = new RecordStore({ maxOrigins: config.maxOrigins, maxBytes: config.maxStoreBytes });
    const intake = new RecordIntake({
      clusterId: options.clusterId,
      crypto,
      store: this.#store,
      forgotten: this.#forgotten,
      counters,
      leastWanted: () => this.#records.leastWanted(),
    });
    this.#own = new OwnRecords({ self, epoch: options.epoch, store: this.#store, intake, counters });
    this.#links = new Links(self);
    this.#membership = new Membership({
      self,
      config,
      events: {
        changed: (peer, state) => this.#memberChanged(peer, state),
        rumour: (rumour) => this.#hearsay.tell(rumour, this.#from, this.#now),
        doubt: (peer) => this.#swim.doubt(peer, this.#now),
      },
    });
    this.#graph = new OverlayGraph((peer) => this.#membership.isPresent(peer));
    const state = {
      self,
      config,
      random,
      counters,
      emit,
      store: this.#store,
      intake,
      own: this.#own,
      links: this.#links,
      graph: this.#graph,
      membership: this.#membership,
      rumours: this.#rumours,
      forgotten: this.#forgotten,
      allRumours: () => this.#hearsay.all(),
      memberCount: () => this.#membership.presentCount,
      stateOf: (peer: PeerId) => (peer === self ? 'alive' : (this.#membership.stateOf(peer) ?? 'unknown')),
      infoOf: (peer: PeerId) => this.#records.infoOf(peer),
    };
    this.#swim = new Swim({ ...state, send: (to, bytes) => emit({ type: 'packet', to, bytes }) });
    this.#broadcast = new Broadcast({
      ...state,
      send: (link, bytes) => this.#upkeep.send(link, bytes, this.#now),
    });
    this.#antiEntropy = new AntiEntropy({
      ...state,
      broadcast: this.#broadcast,
      isUnwanted: ({ origin, slot, epoch, sequence }) =>
        slot === 'node' && this.#forgotten.isGone(origin, { epoch, sequence }),
    });
    this.#hearsay = new Hearsay({ ...state, swim: this.#swim, broadcast: this.#broadcast });
    this.#overlay = new Overlay({
      ...state,
      dial: (endpoint, expected) => emit({ type: 'dial', endpoint, ...(expected ? { expected } : {}) }),
      close: (link, reason, now) => this.#upkeep.close(link, reason, now),
      redirect: (link, endpoints) =>
        this.#upkeep.send(link, encodeFrame({ kind: 'redirect', endpoints }), this.#now),
    });
    const spreading = { broadcast: this.#broadcast, antiEntropy: this.#antiEntropy, overlay: this.#overlay };
    this.#upkeep = new LinkUpkeep({ ...state, ...spreading, swim: this.#swim });
    this.#records = new RecordFlow({
      ...state,
      ...spreading,
      offend: (link, now) => this.#upkeep.offend(link, now),
    });
  }

  // ── what the daemon wants ──

  /**
   * Records kept from before, ours among them: once, at the start. They are verified; each that is good comes out as
   * a `record` with `restored`. Their origins are known peers, to be dialled; nothing is known yet of their life.
   */
  restore(records: readonly SignedRecord[], now: Instant): void {
    this.#enter(now);
    this.#records.restore(records, now);
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
    this.#records.publishDue(now);
  }

  /** The payload of our `ring` or `paxos` record: signed, held, and spread; several in quick succession as one. */
  publish(slot: 'ring' | 'paxos', payload: Uint8Array, now: Instant): void {
    this.#enter(now);
    this.#own.set(slot, payload, now);
    this.#records.publishDue(now);
  }

  /**
   * Forgets a peer that is gone, here and on all nodes. It is back when it says anything new. `unknown`: nothing is known
   * of it. `present`: it is not gone. Both change nothing.
   */
  forgetPeer(peer: PeerId, now: Instant): 'unknown' | 'present' | undefined {
    this.#enter(now);
    return this.#records.forget(peer, now);
  }

  /** After `ownRecordAhead`: our epoch from now on, above any of ours that others hold. Lower ones are ignored. */
  raiseEpoch(epoch: number, now: Instant): void {
    this.#enter(now);
    this.#own.raiseEpoch(epoch, now);
    this.#records.publishDue(now);
  }

  /**
   * Hands `bytes`, at most 1000 bytes, to the cores beyond `to`, over a link that we hold with it. False
   * where there is none, or it can take nothing at present; true is no promise that it arrives.
   */
  sendMessage(to: PeerId, bytes: Uint8Array, now: Instant): boolean {
    const link = this.#links.to(to).find(({ outbox }) => outbox.congestedSince === undefined);
    if (link === undefined || this.#leaving) return false;
    this.#upkeep.send(link, encodeFrame({ kind: 'message', bytes }), now);
    return true;
  }

  /** Whether we hold a link with `peer`. */
  hasLink(peer: PeerId): boolean {
    return this.#links.has(peer);
  }

  /** Says goodbye in a signed record, closes all links, and does nothing more. */
  leave(now: Instant): void {
    this.#enter(now);
    this.#own.leave(now);
    this.#records.publishDue(now);
    this.#broadcast.flushAll(now);
    this.#leaving = true;
    this.#upkeep.leave(now);
  }

  // ── what the shell reports ──

  /** A connection stands, and the handshake has told whose it is. `remote`: for a dial of ours what was dialled. */
  linkOpened(id: LinkId, peer: PeerId, initiatedByUs: boolean, remote: Endpoint, now: Instant): void {
    this.#enter(now);
    this.#upkeep.opened(id, peer, initiatedByUs, remote, now);
  }

  linkClosed(id: LinkId, now: Instant): void {
    this.#enter(now);
    this.#upkeep.lost(id, now);
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
    if (link) this.#broadcast.setCongested(link, congested, now);
  }

  /** One frame. The failures are counted already; `unknown` is no fault of the peer. */
  handleFrame(id: LinkId, bytes: Uint8Array, now: Instant): Result<void, HandleFault> {
    this.#enter(now);
    const link = this.#links.get(id);
    if (!link) return this.#fault('link');
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) {
      if (decoded.reason !== 'unknown') this.#upkeep.offend(link, now);
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
    this.#hearsay.hear(handled.value, now);
    return ok(undefined);
  }

  tick(now: Instant): void {
    this.#enter(now);
    if (this.#leaving) return;
    this.#swim.tick(now);
    this.#membership.tick(now);
    this.#records.publishDue(now);
    this.#upkeep.tick(now);
    this.#overlay.tick(now);
    this.#broadcast.tick(now);
    this.#antiEntropy.tick(now);
  }

  nextTimeout(): Instant | undefined {
    if (this.#leaving || !this.#started) return undefined;
    return earliest(
      this.#swim.nextTimeout(),
      this.#membership.nextTimeout(),
      this.#own.nextTimeout(),
      this.#upkeep.nextTimeout(),
      this.#overlay.nextTimeout(),
      this.#broadcast.nextTimeout(),
      this.#antiEntropy.nextTimeout(),
    );
  }

  poll(): GossipOutput | undefined {
    return this.#outputs.poll();
  }

  // ── what others ask ──

  get epoch(): number {
    return this.#own.epoch;
  }

  /** All other peers whose `node` record is held. */
  members(): Member[] {
    return this.#records.members();
  }

  record(origin: PeerId, slot: Slot): SignedRecord | undefined {
    return this.#store.get(origin, slot)?.record;
  }

  /** Our neighbours over which `to` may be reached where there is no direct way: see {@link OverlayGraph.relaysTo}. */
  relaysTo(to: PeerId): readonly PeerId[] {
    return this.#graph.relaysTo(to);
  }

  links(): LinkSummary[] {
    return this.#links.summaries();
  }

  /** When an endpoint may be dialled again after it failed; undefined where nothing holds that back. */
  nextDialAt(endpoint: Endpoint): Instant | undefined {
    return this.#overlay.nextDialAt(endpoint);
  }

  // ── within ──

  #enter(now: Instant): void {
    this.#now = now;
    if (this.#started) return;
    this.#started = true;
    this.#swim.start(now);
    this.#antiEntropy.start(now);
    this.#upkeep.start(now);
    this.#overlay.reviewSoon(now);
  }

  #handle(link: Link, frame: Frame): Result<void, HandleFault> {
    switch (frame.kind) {
      case 'records':
        return this.#records.take(link, frame.records, this.#now) ? ok(undefined) : fail('malformed');
      case 'rumours':
        this.#hearsay.hear(frame.rumours, this.#now);
        return ok(undefined);
      case 'redirect':
        link.redirected = true;
        this.#overlay.addHints(link.peer, frame.endpoints, this.#now);
        return ok(undefined);
      case 'keepalive':
        return ok(undefined);
      case 'message':
        if (link.outbox.messages.take(this.#now))
          this.#outputs.push({ type: 'message', from: link.peer, bytes: frame.bytes });
        else return this.#fault('busy');
        return ok(undefined);
      default:
        return this.#antiEntropy.handle(link, frame, this.#now) ? ok(undefined) : this.#fault('busy');
    }
  }

  #memberChanged(peer: PeerId, state: Exclude<Member['state'], 'unknown'>): void {
    this.#outputs.push({ type: 'member', peer, state });
    this.#graph.touch();
    if (state === 'alive') {
      this.#rumours.drop(peer);
      this.#overlay.revived(peer, this.#now);
    }
    if (state === 'dead')
      for (const link of this.#links.to(peer)) this.#upkeep.close(link, 'dead', this.#now);
    if (state === 'dead' || state === 'left') this.#records.letGoIfListed(peer);
  }

  #fault(reason: HandleFault): { readonly ok: false; readonly reason: HandleFault } {
    this.#counters.add(COUNTER_BY_FAULT[reason]);
    return fail(reason);
  }
}

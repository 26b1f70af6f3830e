import type { Counters } from '../../../base/counters.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import { type Instant, instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { type CreateAead, SUITE_LIMITS, type SuiteLimits } from '../../../crypto/aead.ts';
import type { Suite } from '../../../crypto/suite.ts';
import { RELAY_ID_LENGTH } from '../../packet/data-packet.ts';
import {
  type DatapathEvents,
  type DataSession,
  NO_STATS,
  type Path,
  type Route,
  type TrafficTotals,
  type TunnelStats,
} from '../datapath.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import { RouteTable } from '../route-table.ts';
import type { SessionProgress } from '../session-progress.ts';
import { sumTraffic } from '../sum-traffic.ts';
import { OwnLedger, type SessionLedger } from './session-ledger.ts';
import { type PeerSession, SleevePeer } from './sleeve-peer.ts';
import { SleeveSession } from './sleeve-session.ts';
import type { WaitingBudget } from './waiting-packets.ts';

/** Where a sleeve's output goes. Neither may call back into the sleeve; both read the bytes before they return. */
export interface DatapathSink {
  /**
   * Sends outer packets, each as one UDP datagram: they lie one behind the other and have `segment` bytes each, the
   * last may be shorter; without `segment` it is one. `tos`: the byte of DSCP and ECN in their headers, without it 0.
   * The bytes are valid only during the call.
   */
  transmit(to: Endpoint, bytes: Uint8Array, segment?: number, tos?: number): void;
  /** Hands a frame (vnet header, IP packet) to the TUN. The bytes are valid only during the call. */
  deliver(frame: Uint8Array): void;
}

export interface SleeveConfig {
  /** Whether the TUN takes TCP and UDP super-packets. Default true for TCP, false for UDP. */
  readonly coalesceTcp: boolean;
  readonly coalesceUdp: boolean;
  /** Forward sealed packets for other peers. Default true. */
  readonly relay: boolean;
  /** What makes the keys of sessions work. Default: what works everywhere, in one suite. */
  readonly createAead: CreateAead;
  /** What is counted of a session. Default: a ledger of the sleeve's own. */
  readonly openLedger?: (session: DataSession, before: SessionProgress | undefined) => SessionLedger;
  /** Limits of a session in place of its suite's, for tests. */
  readonly limits?: SuiteLimits;
}

/** What the parts of one sleeve share: peers, sessions, routes, and the way out. */
export class SleeveState {
  readonly self: PeerId;
  readonly overlayMtu: number;
  readonly counters: Counters<DatapathCounter>;
  readonly sink: DatapathSink;
  readonly config: SleeveConfig;
  readonly waitingBudget: WaitingBudget = { bytes: 0 };
  events: DatapathEvents | undefined;
  /** The latest time any input told. */
  now: Instant = instant(0);
  routes = new RouteTable([]);
  /** Our own index in `routes.owners`; −2, which no lookup returns, while we own nothing. */
  selfOwner = -2;

  readonly #peerById = new Map<PeerId, SleevePeer>();
  /** By the first 16 bytes of the PeerId in hex, as envelopes name their destination. */
  readonly #peerByRelayId = new Map<string, SleevePeer>();
  readonly #sessionByIndex = new Map<number, PeerSession>();
  #peerByOwner: SleevePeer[] = [];
  /** What peers that are forgotten have carried. */
  #past: TrafficTotals = NO_STATS;

  constructor(options: {
    readonly self: PeerId;
    readonly overlayMtu: number;
    readonly counters: Counters<DatapathCounter>;
    readonly sink: DatapathSink;
    readonly config: SleeveConfig;
  }) {
    this.self = options.self;
    this.overlayMtu = options.overlayMtu;
    this.counters = options.counters;
    this.sink = options.sink;
    this.config = options.config;
  }

  peers(): Iterable<SleevePeer> {
    return this.#peerById.values();
  }

  /** The peer, known from now on. */
  peer(id: PeerId): SleevePeer {
    let peer = this.#peerById.get(id);
    if (peer === undefined) {
      peer = new SleevePeer(id, this.overlayMtu, this.waitingBudget);
      this.#peerById.set(id, peer);
      this.#peerByRelayId.set(relayIdOf(id), peer);
    }
    return peer;
  }

  knownPeer(id: PeerId): SleevePeer | undefined {
    return this.#peerById.get(id);
  }

  /** `relayId`: 32 hex digits. */
  peerByRelayId(relayId: string): SleevePeer | undefined {
    return this.#peerByRelayId.get(relayId);
  }

  /** Lets go of a peer that nothing refers to. */
  forgetIfIdle(peer: SleevePeer): void {
    if (!peer.idle) return;
    // A set of routes may name a peer twice, which is forgotten once.
    if (this.#peerById.get(peer.id) !== peer) return;
    this.#past = sumTraffic(this.#past, peer);
    this.#peerById.delete(peer.id);
    if (this.#peerByRelayId.get(relayIdOf(peer.id)) === peer) this.#peerByRelayId.delete(relayIdOf(peer.id));
  }

  totals(): TrafficTotals {
    let totals = this.#past;
    for (const peer of this.#peerById.values()) totals = sumTraffic(totals, peer);
    return totals;
  }

  /** Counts what was carried for `peer` before all that is counted here; undefined: for peers that are forgotten. */
  addTraffic(peer: PeerId | undefined, before: TunnelStats): void {
    if (peer === undefined) this.#past = sumTraffic(this.#past, before);
    else this.peer(peer).add(before);
  }

  session(localIndex: number): PeerSession | undefined {
    return this.#sessionByIndex.get(localIndex);
  }

  addSession(session: DataSession, before: SessionProgress | undefined): void {
    const peer = this.peer(session.peer);
    this.removeSession(session.localIndex);
    const { createAead, openLedger } = this.config;
    const ledger = openLedger?.(session, before) ?? new OwnLedger(before);
    const made = new SleeveSession(session, peer, this.#limits(session.suite), createAead, ledger);
    if (before?.confirmed) made.confirm();
    this.#sessionByIndex.set(session.localIndex, made);
    peer.sessions++;
  }

  removeSession(localIndex: number): void {
    const session = this.#sessionByIndex.get(localIndex);
    if (session === undefined) return;
    this.#sessionByIndex.delete(localIndex);
    session.erase();
    session.peer.sessions--;
    if (session.peer.current === session) session.peer.current = undefined;
    this.forgetIfIdle(session.peer);
  }

  setRoutes(routes: readonly Route[]): void {
    this.routes = new RouteTable(routes);
    const self = this.routes.owners.indexOf(this.self);
    this.selfOwner = self < 0 ? -2 : self;
    const before = this.#peerByOwner;
    this.#peerByOwner = this.routes.owners.map((owner) => this.peer(owner));
    for (const peer of before) peer.routed = false;
    for (const peer of this.#peerByOwner) peer.routed = true;
    for (const peer of before) this.forgetIfIdle(peer);
  }

  /** The peer that an index from `routes.ownerIndex` stands for; ourselves too. */
  peerOfOwner(owner: number): SleevePeer | undefined {
    return this.#peerByOwner[owner];
  }

  /** Drops a packet: counts it, in all and for its peer where there is one. */
  drop(counter: DatapathCounter, peer?: SleevePeer): void {
    this.counters.add(counter);
    if (peer !== undefined) peer.droppedPackets++;
  }

  #limits(suite: Suite): SuiteLimits {
    return this.config.limits ?? SUITE_LIMITS[suite];
  }
}

/** The first 16 bytes of a PeerId, in hex. */
export function relayIdOf(peer: PeerId): string {
  return peer.slice(0, 2 * RELAY_ID_LENGTH);
}

/** Whether two ways to a peer are the same. */
export function samePath(a: Path | undefined, b: Path | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'direct') return b.kind === 'direct' && a.endpoint === b.endpoint;
  return b.kind === 'relay' && a.via === b.via;
}

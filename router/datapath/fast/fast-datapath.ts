import { addressBytes, parseAddress } from '../../../base/address.ts';
import type { Counters } from '../../../base/counters.ts';
import { type Endpoint, endpointHost, endpointPort } from '../../../base/endpoint.ts';
import { type Instant, instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { SUITE_LIMITS } from '../../../crypto/aead.ts';
import type { Suite } from '../../../crypto/suite.ts';
import {
  type Datapath,
  type DataSession,
  NO_STATS,
  type Path,
  type Route,
  type SendOptions,
  type TrafficTotals,
  type TunnelStats,
} from '../datapath.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import type { SessionProgress } from '../session-progress.ts';
import type { SessionLedger } from '../sleeve/session-ledger.ts';
import { OwnLedger } from '../sleeve/session-ledger.ts';
import type { Sleeve } from '../sleeve/sleeve.ts';
import { sumTraffic } from '../sum-traffic.ts';
import { FAST_COUNTERS } from './fast-counters.ts';
import type { FastLanes } from './fast-lanes.ts';
import { FastLedger } from './fast-ledger.ts';

interface FastDatapathOptions {
  readonly self: PeerId;
  readonly lanes: FastLanes;
  /** Suites that the lanes can seal with; sessions of others are the sleeve's alone. */
  readonly suites: readonly Suite[];
  readonly overlayMtu: number;
  readonly counters: Counters<DatapathCounter>;
  readonly clock: () => Instant;
  /** Has what `send` transmits leave by the further source port `port`. */
  readonly sendFrom: (port: number, send: () => boolean) => boolean;
}

/** What is known of a peer that the lanes have a number for. */
interface FastPeer {
  readonly number: number;
  sessions: number;
  routed: boolean;
  path: Path | undefined;
  mtu: number;
}

/**
 * Lanes in C++ that carry what is plain, and a {@link Sleeve} beside them that carries all else: packets that wait for a
 * session, fragments, ICMP errors, what goes by relays, control messages. Each change of the control core reaches both,
 * in an order that loses nothing: what may receive is there before anything is sent to it, and what waited in the
 * sleeve goes out before the lanes send behind it.
 *
 * A session's counters and replay window are one for both ({@link FastLedger}).
 */
export class FastDatapath implements Datapath {
  readonly #options: FastDatapathOptions;
  readonly #peerById = new Map<PeerId, FastPeer>();
  readonly #peerByIndex = new Map<number, PeerId>();
  #sleeve: Sleeve | undefined;
  #nextNumber = 1;
  /** What the lanes carried for peers that are forgotten. */
  #past: TrafficTotals = NO_STATS;

  constructor(options: FastDatapathOptions) {
    this.#options = options;
  }

  /** The sleeve, once, before anything else is called. It must take its ledgers from {@link openLedger}. */
  setSleeve(sleeve: Sleeve): void {
    this.#sleeve = sleeve;
  }

  /** The ledger for a session that {@link install} hands to the sleeve. */
  openLedger(session: DataSession, before: SessionProgress | undefined): SessionLedger {
    const shared = this.#options.suites.includes(session.suite);
    return shared ? new FastLedger(this.#options.lanes, session.localIndex) : new OwnLedger(before);
  }

  install(session: DataSession, before?: SessionProgress): void {
    const { lanes, suites } = this.#options;
    this.remove(session.localIndex);
    if (suites.includes(session.suite)) {
      const peer = this.#peer(session.peer);
      peer.sessions++;
      this.#peerByIndex.set(session.localIndex, session.peer);
      const { localIndex, remoteIndex, suite, peerTakesMarks, sendKey, receiveKey } = session;
      const aes = suite === 'aes-256-gcm';
      const limits = SUITE_LIMITS[suite];
      const { number } = peer;
      lanes.install({
        peer: number,
        localIndex,
        remoteIndex,
        aes,
        peerTakesMarks,
        sendKey,
        receiveKey,
        ...limits,
      });
      if (before) lanes.resume(localIndex, before.sent, before.failedOpens, before.replayWindow);
    }
    this.#its.install(session, before);
  }

  progress(localIndex: number): SessionProgress | undefined {
    return this.#its.progress(localIndex);
  }

  use(localIndex: number): void {
    this.#its.use(localIndex);
    this.#options.lanes.use(localIndex);
  }

  remove(localIndex: number): void {
    this.#its.remove(localIndex);
    this.#options.lanes.remove(localIndex);
    const id = this.#peerByIndex.get(localIndex);
    if (id === undefined) return;
    this.#peerByIndex.delete(localIndex);
    this.#peer(id).sessions--;
    this.#forgetIfIdle(id);
  }

  setPath(peer: PeerId, path: Path | undefined): void {
    this.#its.setPath(peer, path);
    if (path === undefined && !this.#peerById.has(peer)) return;
    const known = this.#peer(peer);
    known.path = path;
    this.#tell(known);
    this.#forgetIfIdle(peer);
  }

  setMtu(peer: PeerId, bytes: number): void {
    this.#its.setMtu(peer, bytes);
    const known = this.#peer(peer);
    known.mtu = bytes;
    this.#tell(known);
  }

  setRoutes(routes: readonly Route[]): void {
    const sleeve = this.#its;
    sleeve.setRoutes(routes);
    const table = sleeve.routes;
    const before = [...this.#peerById.values()];
    const owners = table.owners.map((owner) => this.#peer(owner));
    for (const peer of before) peer.routed = false;
    for (const peer of owners) peer.routed = true;
    const numbers = owners.map(({ number }) => number);
    const self = table.owners.indexOf(this.#options.self);
    this.#options.lanes.setRoutes(table.spans4(), table.spans6(), numbers, self);
    for (const id of [...this.#peerById.keys()]) this.#forgetIfIdle(id);
  }

  sendControl(peer: PeerId, body: Uint8Array, options?: SendOptions): boolean {
    const send = (): boolean => this.#its.sendControl(peer, body, options);
    const port = options?.port;
    return port === undefined ? send() : this.#options.sendFrom(port, send);
  }

  setPorts(peer: PeerId, ports: number): void {
    const known = this.#peerById.get(peer);
    if (known !== undefined) this.#options.lanes.setPorts(known.number, ports, ports === 0);
  }

  /** The peer that the lanes know by `number`. */
  peerOf(number: number): PeerId | undefined {
    for (const [id, peer] of this.#peerById) if (peer.number === number) return id;
    return undefined;
  }

  sendForeign(path: Path, to: PeerId | undefined, packet: Uint8Array): boolean {
    return this.#its.sendForeign(path, to, packet);
  }

  stats(peer: PeerId): TunnelStats {
    const sleeve = this.#its.stats(peer);
    const known = this.#peerById.get(peer);
    const lanes = known === undefined ? undefined : this.#options.lanes.tallies(known.number);
    if (lanes === undefined) return sleeve;
    const now = this.#options.clock();
    return {
      sentPackets: sleeve.sentPackets + lanes.sentPackets,
      sentBytes: sleeve.sentBytes + lanes.sentBytes,
      receivedPackets: sleeve.receivedPackets + lanes.receivedPackets,
      receivedBytes: sleeve.receivedBytes + lanes.receivedBytes,
      droppedPackets: sleeve.droppedPackets + lanes.droppedPackets,
      sentIpBytes: sleeve.sentIpBytes + lanes.sentIpBytes,
      receivedIpBytes: sleeve.receivedIpBytes + lanes.receivedIpBytes,
      lastReceivedAt: later(sleeve.lastReceivedAt, lanes.receivedAgeMs, now),
      lastSentAt: later(sleeve.lastSentAt, lanes.sentAgeMs, now),
    };
  }

  totals(): TrafficTotals {
    let totals = sumTraffic(this.#its.totals(), this.#past);
    for (const { number } of this.#peerById.values())
      totals = sumTraffic(totals, this.#options.lanes.tallies(number) ?? NO_STATS);
    return totals;
  }

  addTraffic(peer: PeerId | undefined, before: TunnelStats): void {
    this.#its.addTraffic(peer, before);
  }

  /** Adds what the lanes dropped since the last call to the counters of the datapath. Which there were. */
  collectDrops(): DatapathCounter[] {
    const drops = this.#options.lanes.takeDrops();
    const met = FAST_COUNTERS.filter((_, i) => drops[i]! > 0);
    for (const counter of met) this.#options.counters.add(counter, drops[FAST_COUNTERS.indexOf(counter)]!);
    return met;
  }

  get #its(): Sleeve {
    return this.#sleeve!;
  }

  #peer(id: PeerId): FastPeer {
    let peer = this.#peerById.get(id);
    if (peer === undefined) {
      const mtu = this.#options.overlayMtu;
      peer = { number: this.#nextNumber++, sessions: 0, routed: false, path: undefined, mtu };
      this.#peerById.set(id, peer);
      this.#tell(peer);
    }
    return peer;
  }

  #tell({ number, path, mtu }: FastPeer): void {
    this.#options.lanes.setPeer(number, path?.kind === 'direct' ? target(path.endpoint) : undefined, mtu);
  }

  /** Lets go of a peer that nothing refers to. Ourselves may be one: routes name us. */
  #forgetIfIdle(id: PeerId): void {
    const peer = this.#peerById.get(id);
    if (peer === undefined || peer.sessions > 0 || peer.routed || peer.path !== undefined) return;
    this.#past = sumTraffic(this.#past, this.#options.lanes.tallies(peer.number) ?? NO_STATS);
    this.#peerById.delete(id);
    this.#options.lanes.forgetPeer(peer.number);
  }
}

function target(to: Endpoint): { readonly address: Uint8Array; readonly port: number } {
  return { address: addressBytes(parseAddress(endpointHost(to))!), port: endpointPort(to) };
}

/** The later of a time and an age (ms, −1: never) at `now`. */
function later(at: Instant | undefined, ageMs: number, now: Instant): Instant | undefined {
  if (ageMs < 0) return at;
  const other = instant(Math.max(0, now - ageMs));
  return at === undefined || other > at ? other : at;
}

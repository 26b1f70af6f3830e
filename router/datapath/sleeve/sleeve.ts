import { assert } from '../../../base/assert.ts';
import type { Counters } from '../../../base/counters.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import { after, type Instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { createAead } from '../../../crypto/aead.ts';
import {
  type Datapath,
  type DatapathEvents,
  type DataSession,
  NO_STATS,
  type Path,
  type Route,
  type SendOptions,
  type TrafficTotals,
  type TunnelStats,
} from '../datapath.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import type { RouteTable } from '../route-table.ts';
import type { SessionProgress } from '../session-progress.ts';
import { SleeveInbound } from './sleeve-inbound.ts';
import { SleeveOutbound } from './sleeve-outbound.ts';
import type { PeerSession } from './sleeve-peer.ts';
import { SleeveSender } from './sleeve-sender.ts';
import { type DatapathSink, type SleeveConfig, SleeveState, samePath } from './sleeve-state.ts';

/** How often what waits for sessions is looked through for packets that are too old. */
const EXPIRE_EVERY_MS = 1000;

/** The overlay MTU that leaves an IPv4 minimum datagram to IP; real ones are {@link OVERLAY_OVERHEAD} below the underlay's. */
const MIN_OVERLAY_MTU = 576;

const DEFAULT_CONFIG: SleeveConfig = { coalesceTcp: true, coalesceUdp: false, relay: true, createAead };

/** What a {@link Sleeve} is made of. */
interface SleeveOptions {
  readonly self: PeerId;
  readonly counters: Counters<DatapathCounter>;
  readonly sink: DatapathSink;
  /** The control core; may be set later with {@link Sleeve.setEvents}. */
  readonly events?: DatapathEvents;
  /** The largest IP packet that the TUN hands out, 576 to 65,535 bytes: what a path carries until told otherwise. */
  readonly overlayMtu: number;
  readonly config?: Partial<SleeveConfig>;
}

/**
 * The datapath in TypeScript: frames of a TUN in, sealed datagrams out, and back.
 *
 * ```
 *  TUN ──handleTunPacket──▶ outbound: judge, route, cut ──▶ sender: seal, wrap ──▶ sink.transmit ──▶ UDP
 *  TUN ◀──sink.deliver── coalescer ◀── inbound: open, judge, forward ◀──handleDatagrams── UDP
 * ```
 *
 * It reads no clock and no socket. Buffers: what goes in is not kept past the call (frames that wait for a session are
 * copied); frames are not changed, datagrams are opened where they lie; what comes out of the sink is valid only
 * during that call. It must not be called from within the sink; from within an event it may.
 *
 * Invariants: no byte of a TUN frame reaches `transmit` unsealed; a packet is delivered only if its source belongs
 * to the peer whose session opened it and its destination to us; every buffer, queue and report is bounded.
 */
export class Sleeve implements Datapath {
  readonly #state: SleeveState;
  readonly #sender: SleeveSender;
  readonly #outbound: SleeveOutbound;
  readonly #inbound: SleeveInbound;
  #expiredAt: Instant | undefined;
  /** From the first input of a wake-up to {@link endBatch}. */
  #inBatch = false;

  constructor(options: SleeveOptions) {
    const { self, counters, sink, overlayMtu } = options;
    assert(overlayMtu >= MIN_OVERLAY_MTU && overlayMtu <= 65_535, 'an overlay MTU of 576 to 65535 bytes');
    const config = { ...DEFAULT_CONFIG, ...options.config };
    this.#state = new SleeveState({ self, counters, sink, overlayMtu, config });
    this.#state.events = options.events;
    this.#sender = new SleeveSender(this.#state);
    this.#outbound = new SleeveOutbound(this.#state, this.#sender);
    this.#inbound = new SleeveInbound(this.#state, this.#sender);
  }

  setEvents(events: DatapathEvents): void {
    this.#state.events = events;
  }

  /**
   * Takes in UDP datagrams of one sender: they lie one behind the other and have `segment` bytes each, the last may be
   * shorter. They are opened where they lie, so their bytes are the sleeve's to change. `tos`: the byte of DSCP and ECN
   * that all came with.
   */
  handleDatagrams(from: Endpoint, bytes: Uint8Array, now: Instant, segment = bytes.length, tos = 0): void {
    this.#state.now = now;
    if (bytes.length === 0) this.#state.drop('datapath.inMalformed');
    this.#inBatch = true;
    this.#inbound.handlePackets({ bytes, at: 0, end: bytes.length, segment, tos }, from, undefined);
    this.#tellWorn();
  }

  /**
   * Takes in a packet of session `localIndex` that was opened elsewhere, where its counter was accepted, too: `newest`
   * if above all before it. Its outer header and what was sealed stand in `bytes` as the wire has them.
   */
  handleOpened(
    localIndex: number,
    from: Endpoint,
    bytes: Uint8Array,
    newest: boolean,
    now: Instant,
    tos = 0,
  ): void {
    this.#state.now = now;
    this.#inBatch = true;
    this.#inbound.handleOpened(localIndex, bytes, newest, tos, from);
    this.#tellWorn();
  }

  /** Tells the control core where session `localIndex` has reached a limit by what was sealed or opened elsewhere. */
  tellWorn(localIndex: number, now: Instant): void {
    this.#state.now = now;
    this.#tellLimit(this.#state.session(localIndex));
  }

  /** Takes in one frame of the TUN: a vnet header of 10 bytes, then an IP packet. */
  handleTunPacket(frame: Uint8Array, now: Instant): void {
    this.#state.now = now;
    this.#inBatch = true;
    this.#outbound.handleFrame(frame);
    this.#tellWorn();
  }

  /** The end of what one wake-up yielded: what was held back goes out, runs to peers and super-packets to the TUN. */
  endBatch(now: Instant): void {
    this.#inBatch = false;
    this.#sender.flush();
    this.#inbound.flush();
    this.advance(now);
  }

  /** Lets time pass without input: packets that waited too long are dropped. To be called before control ticks. */
  advance(now: Instant): void {
    this.#state.now = now;
    if (this.#expiredAt !== undefined && now < after(this.#expiredAt, EXPIRE_EVERY_MS)) return;
    this.#expiredAt = now;
    if (this.#state.waitingBudget.bytes === 0) return;
    for (const peer of this.#state.peers()) {
      this.#outbound.expire(peer);
      this.#state.forgetIfIdle(peer);
    }
  }

  install(session: DataSession, before?: SessionProgress): void {
    assert(session.localIndex > 0 && session.localIndex < 2 ** 32, 'a session index of 32 bits, not 0');
    this.#sender.flush();
    this.#state.addSession(session, before);
  }

  progress(localIndex: number): SessionProgress | undefined {
    return this.#state.session(localIndex)?.progress();
  }

  use(localIndex: number): void {
    const session = this.#state.session(localIndex);
    if (session === undefined) return;
    session.peer.current = session;
    this.#outbound.flush(session.peer);
    this.#afterCall();
  }

  remove(localIndex: number): void {
    this.#sender.flush();
    this.#state.removeSession(localIndex);
  }

  setPath(peer: PeerId, path: Path | undefined): void {
    const known = path === undefined ? this.#state.knownPeer(peer) : this.#state.peer(peer);
    if (known === undefined) return;
    if (!samePath(known.path, path)) {
      known.path = path;
      known.heardAt = undefined;
      this.#outbound.flush(known);
    }
    this.#state.forgetIfIdle(known);
    this.#afterCall();
  }

  setMtu(peer: PeerId, bytes: number): void {
    this.#state.peer(peer).mtu = bytes;
  }

  setRoutes(routes: readonly Route[]): void {
    this.#state.setRoutes(routes);
  }

  /** The routes as they are looked up. */
  get routes(): RouteTable {
    return this.#state.routes;
  }

  sendControl(peer: PeerId, body: Uint8Array, options: SendOptions = {}): boolean {
    const known = this.#state.knownPeer(peer);
    if (known === undefined) return false;
    const sent = this.#sender.sealControl(known, body, options.via ?? known.path, options.padTo);
    this.#afterCall();
    return sent;
  }

  /** It sends from one port only. */
  setPorts(): void {}

  sendForeign(path: Path, to: PeerId | undefined, packet: Uint8Array): boolean {
    const sent = this.#sender.sendForeign(path, to, packet);
    this.#afterCall();
    return sent;
  }

  stats(peer: PeerId): TunnelStats {
    return this.#state.knownPeer(peer)?.stats() ?? NO_STATS;
  }

  totals(): TrafficTotals {
    return this.#state.totals();
  }

  addTraffic(peer: PeerId | undefined, before: TunnelStats): void {
    this.#state.addTraffic(peer, before);
  }

  /** After a call of the control core: what it gave rise to leaves at once, but within a batch at its end. */
  #afterCall(): void {
    if (!this.#inBatch) this.#sender.flush();
    this.#tellWorn();
  }

  /**
   * Sessions whose keys wore out by sealing are told when no packet is in work: what the control core then does may
   * send packets itself.
   */
  #tellWorn(): void {
    for (const session of this.#sender.takeWorn()) this.#tellLimit(session);
  }

  #tellLimit(session: PeerSession | undefined): void {
    const limit = session?.takeExhausted();
    if (session === undefined || limit === undefined) return;
    this.#state.events?.exhausted(session.localIndex, limit, this.#state.now);
  }
}

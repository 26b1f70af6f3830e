import { assert } from '../../base/assert.ts';
import { equalBytes, readU32LE } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import { earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import { checkMac1, macKeysOf } from '../../crypto/cookie.ts';
import type { Identity } from '../../crypto/identity.ts';
import { DEFAULT_FLOOR, type Suite, suiteBitmap } from '../../crypto/suite.ts';
import type { Datapath, DatapathEvents, Origin, Path } from '../datapath/datapath.ts';
import { PACKET_COOKIE, PACKET_INITIATION, PACKET_RESPONSE } from '../packet/data-packet.ts';
import { Admission, DEFAULT_LOAD_PER_SECOND } from './admission.ts';
import { Deadlines } from './deadlines.ts';
import { EndpointClaims } from './endpoint-claims.ts';
import { type HandshakeSelf, Initiation, isInitiation, isResponse, ReceivedInitiation } from './handshake.ts';
import { IPV6_MINIMUM_MTU } from './path-mtu.ts';
import { pathKey } from './paths.ts';
import { StartTurns } from './start-turns.ts';
import { Tunnel } from './tunnel.ts';
import type { TunnelContext } from './tunnel-context.ts';
import { COUNTER_BY_INITIATION_FAULT, type TunnelCounter } from './tunnel-counters.ts';
import type { PeerFault, PeerInfo, TunnelEvent, TunnelStatus } from './tunnel-status.ts';

export type { TunnelEvent } from './tunnel-status.ts';

/** Settings of a node's tunnels. */
export interface TunnelsConfig {
  /** The largest inner packet, bytes: the underlay's MTU less 136. At least 1280. */
  readonly mtu: number;
  /** Suites that the cluster permits. */
  readonly suiteFloor: readonly Suite[];
  /** Handshake messages with a right mac1, a second, above which senders must show a cookie. */
  readonly loadPerSecond: number;
}

/** For an underlay of 1500 bytes and a cluster that permits all suites. */
export const DEFAULT_TUNNELS_CONFIG: TunnelsConfig = {
  mtu: 1364,
  suiteFloor: DEFAULT_FLOOR,
  loadPerSecond: DEFAULT_LOAD_PER_SECOND,
};

/**
 * The control core of the router: a tunnel to each peer, made, kept and moved, over whatever datapath there is.
 *
 * Pure: inputs are the methods and the datapath's events, each with the time; outputs are the calls to the
 * datapath and the events of {@link poll}. After any input the caller arms a timer for {@link nextTimeout} and
 * calls {@link tick} when it fires.
 *
 * Memory is bounded by the peers that were set (gossip verifies their records; at most {@link PEERS_MAX}), each
 * with a fixed number of sessions, paths and timers. A stranger's packet never makes state: not before its
 * initiation proves to come from a peer that was set.
 */
export class Tunnels implements DatapathEvents {
  readonly #self: HandshakeSelf;
  readonly #datapath: Datapath;
  readonly #counters: Counters<TunnelCounter>;
  readonly #random: RandomSource;
  readonly #admission: Admission;
  readonly #context: TunnelContext;
  readonly #tunnelByPeer = new Map<PeerId, Tunnel>();
  /** Whose index it is: of a session or of an initiation under way. At most 4 a peer. */
  readonly #tunnelByIndex = new Map<number, Tunnel>();
  readonly #claims = new EndpointClaims();
  readonly #deadlines = new Deadlines<PeerId>();
  readonly #turns = new StartTurns();
  readonly #messages: TunnelEvent[] = [];
  readonly #changed = new Set<PeerId>();
  readonly #reported = new Map<PeerId, TunnelStatus>();
  #sequence = 0;

  /** `suites`: what the datapath can do. `bootEpoch` rises with each start of this node. */
  constructor(options: {
    readonly identity: Identity;
    readonly clusterKeys: ClusterKeys;
    readonly bootEpoch: number;
    readonly suites: readonly Suite[];
    readonly random: RandomSource;
    readonly counters: Counters<TunnelCounter>;
    readonly datapath: Datapath;
    readonly config?: Partial<TunnelsConfig>;
  }) {
    const { identity, clusterKeys, bootEpoch, random, counters, datapath } = options;
    const config = { ...DEFAULT_TUNNELS_CONFIG, ...options.config };
    assert(config.mtu >= IPV6_MINIMUM_MTU && config.mtu <= 65_535, 'an overlay MTU from 1280 to 65535');
    assert(Number.isSafeInteger(bootEpoch) && bootEpoch >= 0, 'a boot epoch below 2^53');
    this.#self = { identity, clusterKeys, random };
    this.#datapath = datapath;
    this.#counters = counters;
    this.#random = random;
    this.#admission = new Admission({
      mac1Key: clusterKeys.mac1Key,
      noiseKey: identity.noise.publicKey,
      random,
      counters,
      loadPerSecond: config.loadPerSecond,
    });
    this.#context = {
      datapath,
      random,
      counters,
      self: { noiseKey: identity.noise.publicKey, epoch: bootEpoch },
      suites: suiteBitmap(options.suites),
      suiteFloor: suiteBitmap(config.suiteFloor),
      mtu: config.mtu,
      allocateIndex: (peer) => this.#allocateIndex(peer),
      releaseIndex: (localIndex) => this.#tunnelByIndex.delete(localIndex),
      initiate: (to, noiseKey, localIndex, token) => this.#initiate(to, noiseKey, localIndex, token),
      macKeys: (noiseKey) => macKeysOf(clusterKeys.mac1Key, noiseKey),
      sendHandshake: (packet, to, path, now) => this.#sendHandshake(packet, to, path, now),
      message: (from, channel, bytes) => this.#message(from, channel, bytes),
    };
  }

  /** A peer's record, new or newer. After a failure nothing has changed. */
  setPeer(peer: PeerId, info: PeerInfo, now: Instant): Result<void, PeerFault> {
    if (peer === this.#self.identity.peer) return fail('isSelf');
    if (info.noiseKey.length !== 32 || equalBytes(info.noiseKey, this.#context.self.noiseKey)) {
      return fail('badKey');
    }
    const known = this.#tunnelByPeer.get(peer);
    if (known !== undefined) {
      this.#claims.forget(peer, known.info.endpoints);
      known.setInfo(info, now);
      this.#claims.note(peer, known.info.endpoints);
      this.#settle(known);
      return ok(undefined);
    }
    if (this.#tunnelByPeer.size >= PEERS_MAX) return fail('tooMany');
    const tunnel = new Tunnel(peer, info, this.#context, now);
    this.#tunnelByPeer.set(peer, tunnel);
    this.#claims.note(peer, tunnel.info.endpoints);
    this.#settle(tunnel);
    return ok(undefined);
  }

  /** Ends the tunnel and forgets the peer: its sessions are erased and its initiations refused. */
  removePeer(peer: PeerId, now: Instant): void {
    const tunnel = this.#tunnelByPeer.get(peer);
    if (tunnel === undefined) return;
    tunnel.close(now);
    this.#claims.forget(peer, tunnel.info.endpoints);
    this.#tunnelByPeer.delete(peer);
    this.#deadlines.set(peer, undefined);
    this.#turns.remove(peer);
    this.#changed.delete(peer);
    this.#reported.delete(peer);
  }

  /** The relays to fall back on, the best first (gossip's next hops). Unknown peers are ignored. */
  setRelays(peer: PeerId, candidates: readonly PeerId[], now: Instant): void {
    const self = this.#self.identity.peer;
    this.#with(peer, (tunnel) => {
      tunnel.setRelays(
        candidates.filter((via) => via !== peer && via !== self),
        now,
      );
    });
  }

  /** Makes and keeps a tunnel to the peer. Many at once take turns, see start-turns.ts. */
  want(peer: PeerId, now: Instant): void {
    const tunnel = this.#tunnelByPeer.get(peer);
    if (tunnel === undefined) return;
    if (tunnel.state === 'established' || this.#turns.take(now)) {
      tunnel.want(now);
      this.#settle(tunnel);
    } else this.#turns.wait(peer, now);
  }

  /** The failure detector doubts the peer: its path is judged within about a second. */
  suspectPath(peer: PeerId, now: Instant): void {
    this.#with(peer, (tunnel) => tunnel.suspectPath(now));
  }

  /**
   * Sends a datagram of an upper layer, at most 1100 bytes, on `channel` 1 to 127. False when it cannot go now; a
   * missing tunnel is wanted thereby.
   */
  sendControl(peer: PeerId, channel: number, bytes: Uint8Array, now: Instant): boolean {
    const tunnel = this.#tunnelByPeer.get(peer);
    if (tunnel === undefined) return false;
    if (tunnel.sendMessage(channel, bytes)) return true;
    if (tunnel.state === 'idle' || tunnel.state === 'established') this.sessionWanted(peer, now);
    return false;
  }

  status(peer: PeerId): TunnelStatus | undefined {
    return this.#tunnelByPeer.get(peer)?.status();
  }

  get peers(): readonly PeerId[] {
    return [...this.#tunnelByPeer.keys()];
  }

  /** Live indices: sessions and initiations under way. For tests of bounds and for `weft report`. */
  get indexCount(): number {
    return this.#tunnelByIndex.size;
  }

  tick(now: Instant): void {
    for (let peer = this.#turns.next(now); peer !== undefined; peer = this.#turns.next(now)) {
      this.#with(peer, (tunnel) => tunnel.want(now));
    }
    for (let peer = this.#deadlines.takeDue(now); peer !== undefined; peer = this.#deadlines.takeDue(now)) {
      const tunnel = this.#tunnelByPeer.get(peer);
      if (tunnel === undefined) continue;
      tunnel.tick(now);
      this.#settle(tunnel);
      const next = tunnel.nextTimeout();
      assert(next === undefined || next > now, 'a tick leaves nothing due');
    }
  }

  nextTimeout(): Instant | undefined {
    return earliest(this.#deadlines.next(), this.#turns.nextTimeout());
  }

  /** The next event; call until undefined. */
  poll(): TunnelEvent | undefined {
    for (const peer of this.#changed) {
      this.#changed.delete(peer);
      const status = this.#tunnelByPeer.get(peer)?.status();
      if (status === undefined) continue;
      this.#reported.set(peer, status);
      const { state, path, suite, rttMs } = status;
      return { type: 'peerState', peer, state, path, suite, rttMs };
    }
    return this.#messages.shift();
  }

  // ── DatapathEvents ──

  sessionWanted(peer: PeerId, now: Instant): void {
    this.#with(peer, (tunnel) => tunnel.need(now));
  }

  confirmed(localIndex: number, from: Origin, now: Instant): void {
    this.#withIndex(localIndex, (tunnel) => tunnel.confirmed(localIndex, from, now));
  }

  moved(localIndex: number, from: Origin, now: Instant): void {
    this.#withIndex(localIndex, (tunnel) => tunnel.moved(from, now));
  }

  control(peer: PeerId, body: Uint8Array, _localIndex: number, from: Origin, now: Instant): void {
    this.#with(peer, (tunnel) => tunnel.control(body, from, now));
  }

  exhausted(localIndex: number, limit: 'rekey' | 'dead', now: Instant): void {
    this.#withIndex(localIndex, (tunnel) => tunnel.exhausted(localIndex, limit, now));
  }

  foreign(packet: Uint8Array, from: Origin, now: Instant): void {
    switch (packet[0]) {
      case PACKET_INITIATION:
        this.#initiation(packet, from, now);
        return;
      case PACKET_RESPONSE:
        this.#response(packet, from, now);
        return;
      case PACKET_COOKIE:
        this.#cookieReply(packet, from, now);
        return;
      default:
        this.#counters.add('handshake.unknownType');
    }
  }

  unknownIndex(_receiverIndex: number, from: Origin, now: Instant): void {
    this.#counters.add('tunnel.unknownIndex');
    if (from.kind !== 'direct') return; // a relay's envelope does not tell whose packet it is
    for (const peer of this.#claims.claimants(from.endpoint)) {
      this.#with(peer, (tunnel) => tunnel.recover(now));
    }
  }

  #initiation(packet: Uint8Array, from: Origin, now: Instant): void {
    if (!isInitiation(packet)) {
      this.#counters.add('handshake.badForm');
      return;
    }
    const verdict = this.#admission.judge(packet, from, now);
    if (verdict.type === 'cookie') this.#datapath.sendForeign(from, undefined, verdict.reply);
    if (verdict.type !== 'admit') return;
    const read = ReceivedInitiation.read(this.#self, packet);
    if (!read.ok) {
      this.#counters.add(COUNTER_BY_INITIATION_FAULT[read.reason]);
      return;
    }
    const tunnel = this.#tunnelByPeer.get(read.value.payload.peer);
    if (tunnel === undefined || !equalBytes(tunnel.info.noiseKey, read.value.noiseKey)) {
      read.value.erase();
      this.#counters.add(tunnel === undefined ? 'handshake.unknownPeer' : 'handshake.wrongKey');
      return;
    }
    tunnel.initiationReceived(read.value, from, now);
    this.#settle(tunnel);
  }

  #response(packet: Uint8Array, from: Origin, now: Instant): void {
    if (!isResponse(packet)) {
      this.#counters.add('handshake.badForm');
      return;
    }
    const localIndex = readU32LE(packet, 4);
    const tunnel = this.#tunnelByIndex.get(localIndex);
    if (tunnel === undefined) {
      this.#counters.add('handshake.lateResponse');
      return;
    }
    if (!checkMac1(this.#admission.keys, packet)) {
      this.#counters.add('handshake.badMac1');
      return;
    }
    tunnel.responseReceived(packet, localIndex, from, now);
    this.#settle(tunnel);
  }

  #cookieReply(packet: Uint8Array, from: Origin, now: Instant): void {
    const localIndex = packet.length >= 8 ? readU32LE(packet, 4) : 0;
    const tunnel = this.#tunnelByIndex.get(localIndex);
    if (tunnel === undefined) this.#counters.add('handshake.lateCookie');
    else {
      tunnel.cookieReceived(packet, localIndex, from, now);
      this.#settle(tunnel);
    }
  }

  #allocateIndex(peer: PeerId): number {
    const tunnel = this.#tunnelByPeer.get(peer);
    assert(tunnel !== undefined, 'an index is for a peer that was set');
    assert(this.#tunnelByIndex.size <= 4 * PEERS_MAX, 'at most 4 indices a peer');
    for (;;) {
      const localIndex = readU32LE(this.#random.bytes(4), 0);
      if (localIndex === 0 || this.#tunnelByIndex.has(localIndex)) continue;
      this.#tunnelByIndex.set(localIndex, tunnel);
      return localIndex;
    }
  }

  #initiate(to: PeerId, noiseKey: Uint8Array, localIndex: number, token: Uint8Array): Initiation | undefined {
    const { epoch } = this.#context.self;
    const { suites, mtu } = this.#context;
    const payload = { epoch, sequence: ++this.#sequence, peer: this.#self.identity.peer, suites, mtu, token };
    const made = Initiation.create(this.#self, { peer: to, noiseKey }, localIndex, payload);
    return made.ok ? made.value : undefined;
  }

  #sendHandshake(packet: Uint8Array, to: PeerId, path: Path, now: Instant): boolean {
    const sent = this.#datapath.sendForeign(path, to, packet);
    // A relay that we have no session with is of no use until we have one.
    if (!sent && path.kind === 'relay') this.#turns.wait(path.via, now);
    return sent;
  }

  #message(from: PeerId, channel: number, bytes: Uint8Array): void {
    if (this.#messages.length >= MESSAGES_MAX) {
      this.#counters.add('control.overflow');
      return;
    }
    this.#messages.push({ type: 'message', from, channel, bytes });
  }

  #with(peer: PeerId, act: (tunnel: Tunnel) => void): void {
    const tunnel = this.#tunnelByPeer.get(peer);
    if (tunnel === undefined) return;
    act(tunnel);
    this.#settle(tunnel);
  }

  #withIndex(localIndex: number, act: (tunnel: Tunnel) => void): void {
    const tunnel = this.#tunnelByIndex.get(localIndex);
    if (tunnel === undefined) return;
    act(tunnel);
    this.#settle(tunnel);
  }

  /** After any input to a tunnel: its next deadline, and whether there is something to report. */
  #settle(tunnel: Tunnel): void {
    this.#deadlines.set(tunnel.peer, tunnel.nextTimeout());
    const { state, path, suite } = tunnel.status();
    const before = this.#reported.get(tunnel.peer);
    if (
      before === undefined ||
      before.state !== state ||
      before.suite !== suite ||
      (before.path && pathKey(before.path)) !== (path && pathKey(path))
    ) {
      this.#changed.add(tunnel.peer);
    } else this.#changed.delete(tunnel.peer);
  }
}

export const PEERS_MAX = 20_000;
/** Messages of upper layers that wait to be polled; more are dropped, as datagrams may be. */
export const MESSAGES_MAX = 4096;

import { assert } from '../../base/assert.ts';
import { equalBytes } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import { Deadlines } from '../../base/deadlines.ts';
import { earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import { macKeysOf } from '../../crypto/cookie.ts';
import type { Identity } from '../../crypto/identity.ts';
import { DEFAULT_FLOOR, type Suite, suiteBitmap } from '../../crypto/suite.ts';
import type { Datapath, DatapathEvents, Origin, Path } from '../datapath/datapath.ts';
import type { KeptSessions } from '../datapath/kept-sessions.ts';
import { type HandshakeSelf, Initiation } from '../handshake/handshake.ts';
import type { PeerKey } from '../handshake/peer-key.ts';
import { IPV6_MINIMUM_MTU } from '../packet/ip-packet.ts';
import { Admission, DEFAULT_LOAD_PER_SECOND } from './admission.ts';
import { EndpointClaims } from './endpoint-claims.ts';
import { type OwnTunnels, withoutTraffic } from './handover/handed-tunnels.ts';
import { handedTunnels, resumeTunnel } from './handover/tunnel-handover.ts';
import { HandshakeReceiver } from './handshake-receiver.ts';
import { pathKey } from './paths.ts';
import { StartTurns } from './start-turns.ts';
import { Tunnel } from './tunnel.ts';
import { INDICES_OF_PEER_MAX, type TunnelContext } from './tunnel-context.ts';
import type { TunnelCounter } from './tunnel-counters.ts';
import { TunnelIndices } from './tunnel-indices.ts';
import type { PeerFault, PeerInfo, TunnelEvent, TunnelStatus } from './tunnel-status.ts';

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
const DEFAULT_TUNNELS_CONFIG: TunnelsConfig = {
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
  readonly #context: TunnelContext;
  readonly #tunnelByPeer = new Map<PeerId, Tunnel>();
  readonly #indices: TunnelIndices<PeerId>;
  readonly #receiver: HandshakeReceiver;
  readonly #claims = new EndpointClaims();
  readonly #deadlines = new Deadlines<PeerId>();
  readonly #turns: StartTurns;
  readonly #messages: TunnelEvent[] = [];
  readonly #changed = new Set<PeerId>();
  readonly #reported = new Map<PeerId, TunnelStatus>();
  #sequence = 0;

  /** `suites`, `takesMarks`: what the datapath can do. `bootEpoch` rises with each start of this node. */
  constructor(options: {
    readonly identity: Identity;
    readonly clusterKeys: ClusterKeys;
    readonly bootEpoch: number;
    readonly suites: readonly Suite[];
    readonly takesMarks: boolean;
    readonly random: RandomSource;
    readonly counters: Counters<TunnelCounter>;
    readonly datapath: Datapath;
    readonly config?: Partial<TunnelsConfig>;
    /** Begins no handshake before {@link resume}. */
    readonly held?: boolean;
  }) {
    this.#turns = new StartTurns(options.held);
    const { identity, clusterKeys, bootEpoch, random, counters, datapath } = options;
    const config = { ...DEFAULT_TUNNELS_CONFIG, ...options.config };
    assert(config.mtu >= IPV6_MINIMUM_MTU && config.mtu <= 65_535, 'an overlay MTU from 1280 to 65535');
    assert(Number.isSafeInteger(bootEpoch) && bootEpoch >= 0, 'a boot epoch below 2^53');
    this.#self = { identity, clusterKeys, random };
    this.#datapath = datapath;
    this.#counters = counters;
    this.#indices = new TunnelIndices({ random, sizeMax: INDICES_OF_PEER_MAX * PEERS_MAX });
    const ofPeer = (peer: PeerId): Tunnel | undefined => this.#tunnelByPeer.get(peer);
    this.#receiver = new HandshakeReceiver({
      self: this.#self,
      datapath,
      counters,
      admission: new Admission({
        mac1Key: clusterKeys.mac1Key,
        noiseKey: identity.noise.publicKey,
        random,
        counters,
        loadPerSecond: config.loadPerSecond,
      }),
      tunnels: { ofPeer, ofIndex: (localIndex) => this.#tunnelOfIndex(localIndex) },
    });
    this.#context = {
      datapath,
      random,
      counters,
      self: { noiseKey: identity.noise.publicKey, epoch: bootEpoch },
      offer: {
        suites: suiteBitmap(options.suites),
        suiteFloor: suiteBitmap(config.suiteFloor),
        takesMarks: options.takesMarks,
        mtu: config.mtu,
      },
      indices: this.#indices,
      handshakes: {
        initiate: (to, localIndex, token) => this.#initiate(to, localIndex, token),
        macKeys: (noiseKey) => macKeysOf(clusterKeys.mac1Key, noiseKey),
        send: (packet, to, path, now) => this.#sendHandshake(packet, to, path, now),
      },
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

  /**
   * Our own addresses have changed: what reached peers before may reach them no more, and the other way round. Each
   * tunnel that stands is judged within about a second, and relayed ones look for a direct way at once.
   */
  ownEndpointsChanged(now: Instant): void {
    for (const tunnel of this.#tunnelByPeer.values()) {
      if (tunnel.state !== 'established') continue;
      tunnel.ownEndpointsChanged(now);
      this.#settle(tunnel);
    }
  }

  /** The failure detector doubts the peer: its path is judged within about a second. */
  suspectPath(peer: PeerId, now: Instant): void {
    this.#with(peer, (tunnel) => tunnel.suspectPath(now));
  }

  /**
   * Sends a datagram of an upper layer, at most 1100 bytes, on `channel` 1 to 127; `bytes` are not to be changed
   * afterwards. Where there is no tunnel, one is made, and the message waits for it a short while
   * (waiting-messages.ts). False when it cannot be sent at all.
   */
  sendControl(peer: PeerId, channel: number, bytes: Uint8Array, now: Instant): boolean {
    const tunnel = this.#tunnelByPeer.get(peer);
    const outcome = tunnel?.sendMessage(channel, bytes, now) ?? 'refused';
    if (outcome !== 'waiting') return outcome === 'sent';
    const { state } = tunnel!;
    if (state === 'idle' || state === 'established') this.sessionWanted(peer, now);
    return true;
  }

  status(peer: PeerId): TunnelStatus | undefined {
    return this.#tunnelByPeer.get(peer)?.status();
  }

  get peers(): readonly PeerId[] {
    return [...this.#tunnelByPeer.keys()];
  }

  /** Live indices: sessions and initiations under way. For tests of bounds and for `weft report`. */
  get indexCount(): number {
    return this.#indices.size;
  }

  /** What of the tunnels goes on under another weftd: see `SessionHandover` of node. */
  handOver(kept: Pick<KeptSessions, 'keys'>): OwnTunnels {
    const tunnels = handedTunnels(this.#tunnelByPeer.values(), kept);
    return { tunnels, past: withoutTraffic(this.#datapath.totals(), tunnels) };
  }

  /**
   * Goes on where another weftd of this node ended, or without it; `begin` has packets move. True where all goes on: a
   * tunnel does not whose peer is not known, or has a suite that this datapath lacks.
   */
  resume(handed: OwnTunnels | undefined, now: Instant, begin?: () => void): boolean {
    this.#turns.release();
    const tunnels = (handed?.tunnels ?? []).flatMap((one) => {
      const usable = one.sessions.every(
        ({ suite }) => (suiteBitmap([suite]) & this.#context.offer.suites) !== 0,
      );
      const tunnel = usable ? this.#tunnelByPeer.get(one.peer) : undefined;
      return tunnel !== undefined && resumeTunnel(tunnel, one, now) ? [tunnel] : [];
    });
    begin?.();
    for (const tunnel of tunnels) this.#with(tunnel.peer, () => tunnel.resumed(now));
    if (handed === undefined) return false;
    this.#datapath.addTraffic(undefined, handed.past);
    this.#counters.add('tunnel.resumed', tunnels.length);
    this.#counters.add('tunnel.notResumed', handed.tunnels.length - tunnels.length);
    return tunnels.length === handed.tunnels.length;
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
    if (this.#turns.held) this.#turns.wait(peer, now);
    else this.#with(peer, (tunnel) => tunnel.need(now));
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

  busy(peer: PeerId, ports: number, now: Instant): void {
    this.#with(peer, (tunnel) => tunnel.busy(ports, now));
  }

  foreign(packet: Uint8Array, from: Origin, now: Instant): void {
    const tunnel = this.#receiver.receive(packet, from, now);
    if (tunnel !== undefined) this.#settle(tunnel);
  }

  unknownIndex(_receiverIndex: number, from: Origin, now: Instant): void {
    this.#counters.add('tunnel.unknownIndex');
    if (from.kind !== 'direct') return; // a relay's envelope does not tell whose packet it is
    for (const peer of this.#claims.claimants(from.endpoint)) {
      this.#with(peer, (tunnel) => tunnel.recover(now));
    }
  }

  #initiate(to: PeerKey, localIndex: number, token: Uint8Array): Initiation | undefined {
    const { self, offer } = this.#context;
    const { suites, takesMarks, mtu } = offer;
    const payload = {
      epoch: self.epoch,
      sequence: ++this.#sequence,
      peer: this.#self.identity.peer,
      suites,
      takesMarks,
      mtu,
      token,
    };
    const made = Initiation.create(this.#self, to, localIndex, payload);
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
    const tunnel = this.#tunnelOfIndex(localIndex);
    if (tunnel === undefined) return;
    act(tunnel);
    this.#settle(tunnel);
  }

  #tunnelOfIndex(localIndex: number): Tunnel | undefined {
    const peer = this.#indices.ownerOf(localIndex);
    return peer === undefined ? undefined : this.#tunnelByPeer.get(peer);
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

const PEERS_MAX = 20_000;
/** Messages of upper layers that wait to be polled; more are dropped, as datagrams may be. */
const MESSAGES_MAX = 4096;

import { equalBytes } from '../../base/bytes.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { randomUnit } from '../../base/random.ts';
import { TimerTable } from '../../base/timer-table.ts';
import type { Origin, Path } from '../datapath/datapath.ts';
import type { ReceivedInitiation } from '../handshake/handshake.ts';
import { PeerKey } from '../handshake/peer-key.ts';
import {
  decodeControlMessage,
  encodeChannelMessage,
  encodeMtuAck,
  encodeTokenMessage,
} from './control-message.ts';
import { Exchange } from './exchange.ts';
import type { TunnelParts } from './handover/tunnel-handover.ts';
import { Liveness } from './liveness.ts';
import { REKEY_AT_LEAST_MS, rekeyTime, Sessions } from './sessions.ts';
import type { TunnelContext } from './tunnel-context.ts';
import { COUNTER_BY_CONTROL_FAULT } from './tunnel-counters.ts';
import { TunnelPath } from './tunnel-path.ts';
import type { PeerInfo, TunnelState, TunnelStatus } from './tunnel-status.ts';
import { WaitingMessages } from './waiting-messages.ts';

/**
 * The tunnel to one peer: joins the handshakes with it, its sessions, its paths, the watch over them and the path
 * MTU. Each of these is a machine of its own in its own file; here is what one says to the other.
 *
 * ```
 *              want, packet waits, restart seen                  answered
 *      idle ───────────────────────────────────▶ handshaking ─────────────▶ established ◀─╮ rekey
 *        ▲                                        │      ▲                     │    ╰──────╯
 *        │                          90 s, no answer      │  path dead          │
 *        ╰── (never wanted)  unreachable ◀────────╯      ╰─────────────────────╯
 * ```
 *
 * An unreachable peer that is wanted is tried again every half minute or so.
 */
export class Tunnel {
  readonly peer: PeerId;
  /** For handover/tunnel-handover.ts. */
  readonly parts: TunnelParts;
  readonly #context: TunnelContext;
  readonly #sessions: Sessions;
  readonly #path: TunnelPath;
  readonly #liveness: Liveness;
  readonly #exchange: Exchange;
  /** retry: the next attempt to reach a peer that was not reached. rekey: the session is to be renewed. */
  readonly #timers = new TimerTable<'retry' | 'rekey'>();
  #info: PeerInfo;
  /** Messages of upper layers that wait for the tunnel. */
  readonly #waiting = new WaitingMessages();
  #wanted = false;
  #dead = false;
  #unreachable = false;
  #notBefore: Instant | undefined;
  #recoveredAt: Instant | undefined;

  constructor(peer: PeerId, info: PeerInfo, context: TunnelContext, now: Instant) {
    this.peer = peer;
    this.#context = context;
    const { datapath, random } = context;
    this.#sessions = new Sessions({ datapath, released: (index) => context.indices.release(index) });
    this.#path = new TunnelPath(peer, context);
    this.#liveness = new Liveness({ random });
    this.#exchange = new Exchange({
      key: this.#keyOf(info),
      context,
      paths: this.#path.paths,
      sessions: this.#sessions,
    });
    this.#info = info;
    this.parts = { context, sessions: this.#sessions, path: this.#path, liveness: this.#liveness };
    this.#path.paths.setPublished(info.endpoints, now);
  }

  get info(): PeerInfo {
    return this.#info;
  }

  get state(): TunnelState {
    if (this.#sessions.current !== undefined && !this.#dead) return 'established';
    if (this.#exchange.isUnderWay) return 'handshaking';
    return this.#unreachable ? 'unreachable' : 'idle';
  }

  status(): TunnelStatus {
    const { current } = this.#sessions;
    return {
      peer: this.peer,
      state: this.state,
      path: this.#path.current,
      suite: current?.suite,
      rttMs: this.#liveness.rttMs,
      loss: this.#liveness.loss,
      mtu: this.#path.mtu.effective,
      mtuConfirmed: this.#path.mtu.confirmed,
    };
  }

  /** A newer record of the peer. */
  setInfo(info: PeerInfo, now: Instant): void {
    const before = this.#info;
    this.#info = info;
    this.#path.paths.setPublished(info.endpoints, now);
    if (!equalBytes(before.noiseKey, info.noiseKey)) {
      // Sessions with the holder of the old key prove nothing about the peer any more.
      this.#exchange.setKey(this.#keyOf(info));
      this.#sessions.clear();
      this.#liveness.stop();
      this.#path.use(undefined, now);
      if (this.#wanted) this.#begin(false, now);
      return;
    }
    const restarted = (this.#sessions.current?.peerEpoch ?? info.epoch) < info.epoch;
    if (restarted && !this.#exchange.isUnderWay) {
      this.#context.counters.add('tunnel.peerRestarted');
      this.#begin(false, now);
    } else if (info.endpoints.some((endpoint) => !before.endpoints.includes(endpoint))) {
      this.#exchange.hurry(now);
      if (this.#unreachable && this.#wanted) this.want(now);
    }
  }

  setRelays(relays: readonly PeerId[], now: Instant): void {
    const had = this.#path.paths.relays.length > 0;
    this.#path.paths.setRelays(relays);
    if (!had && relays.length > 0 && this.#path.paths.candidates().length === 0) this.#exchange.hurry(now);
  }

  /** Keeps a tunnel to the peer from now on. */
  want(now: Instant): void {
    this.#wanted = true;
    if (this.state !== 'established') this.need(now);
  }

  /** A packet waits for the tunnel: for a session, for a proven path (all challenges may be lost), or for the relay. */
  need(now: Instant): void {
    if (this.#sessions.current === undefined || this.#dead) this.#begin(false, now);
    else if (this.#path.current === undefined) this.#path.challenge(this.#path.paths.seek(now));
    else this.suspectPath(now); // its relay is out of reach, else nothing would wait
  }

  /** The session is unknown to the peer or to us: a handshake is due, though a session may stand. */
  recover(now: Instant): void {
    if (this.#sessions.current !== undefined) {
      // Anyone can write the peer's address on a packet: beside a session it is a hint and no more.
      const heard = this.#context.datapath.stats(this.peer).lastReceivedAt;
      if (heard !== undefined && now < after(heard, HEARD_MS)) return;
      if (this.#recoveredAt !== undefined && now < after(this.#recoveredAt, RECOVER_INTERVAL_MS)) return;
      this.#recoveredAt = now;
    }
    this.#begin(false, now);
  }

  /** Somebody (SWIM) takes the peer for dead: the path is judged within about a second. */
  suspectPath(now: Instant): void {
    if (this.#sessions.current !== undefined && !this.#dead) this.#liveness.hurry(now);
  }

  /** See {@link Tunnels.ownEndpointsChanged}. */
  ownEndpointsChanged(now: Instant): void {
    this.suspectPath(now);
    if (this.#path.current?.kind === 'relay') this.#path.paths.tryDirect(now);
  }

  /**
   * Sends a message of an upper layer. 'waiting': there is no session or no path yet, and it goes when there is.
   * 'refused': it is too long, or its channel is none.
   */
  sendMessage(channel: number, bytes: Uint8Array, now: Instant): 'sent' | 'waiting' | 'refused' {
    const body = encodeChannelMessage(channel, bytes);
    if (!body.ok) return 'refused';
    if (this.#sessions.current !== undefined && this.#path.send(body.value)) return 'sent';
    this.#waiting.keep(body.value, now);
    return 'waiting';
  }

  /** What waited for a session and a path goes, as soon as there are both. */
  #sendWaiting(now: Instant): void {
    if (this.#sessions.current === undefined || this.#path.current === undefined) return;
    for (const body of this.#waiting.take(now)) this.#path.send(body);
  }

  /** An initiation in the peer's name was read, and its key is the peer's. */
  initiationReceived(received: ReceivedInitiation, from: Origin, now: Instant): void {
    this.#exchange.initiationReceived(received, from, now);
  }

  /** A response to the initiation with `localIndex`, its mac1 checked. */
  responseReceived(packet: Uint8Array, localIndex: number, from: Origin, now: Instant): void {
    const completed = this.#exchange.responseReceived(packet, localIndex, from, now);
    if (completed === undefined) return;
    if (completed.proven) this.#path.use(from, now);
    this.#context.datapath.use(localIndex);
    if (!completed.proven) this.#path.askBoth(from, now);
    this.#established(from, now);
  }

  cookieReceived(reply: Uint8Array, localIndex: number, from: Origin, now: Instant): void {
    this.#exchange.cookieReceived(reply, localIndex, from, now);
  }

  /** The first packet of a session that we answered opened: the peer holds its keys. */
  confirmed(localIndex: number, from: Origin, now: Instant): void {
    if (!this.#sessions.confirm(localIndex)) return;
    // Published or not, only who got our answer there could confirm it. Elsewhere the source may be a lie.
    const proven = this.#path.paths.isPublished(from) && this.#exchange.answeredOnly(from);
    this.#exchange.confirmed();
    if (this.#path.current === undefined && proven) this.#path.use(from, now);
    this.#context.datapath.use(localIndex);
    this.#path.askBoth(from, now);
    this.#established(from, now);
  }

  moved(from: Origin, now: Instant): void {
    if (this.#liveness.doubtful) this.#path.paths.suspect();
    this.#path.moved(from, now);
  }

  control(body: Uint8Array, from: Origin, now: Instant): void {
    const decoded = decodeControlMessage(body);
    if (!decoded.ok) {
      this.#context.counters.add(COUNTER_BY_CONTROL_FAULT[decoded.reason]);
      return;
    }
    const message = decoded.value;
    switch (message.type) {
      case 'channel':
        this.#context.message(this.peer, message.channel, message.bytes);
        return;
      case 'challenge':
        this.#path.answerChallenge(message.token, from);
        return;
      case 'answer':
        this.#answered(message.token, now);
        return;
      case 'ping':
        this.#path.send(encodeTokenMessage('pong', message.token), from);
        return;
      case 'pong':
        if (!this.#liveness.pong(message.token, now)) this.#context.counters.add('control.stalePong');
        else this.#path.paths.proven(now);
        return;
      case 'portProbe':
        // Whatever port it came from, the answer goes where our packets go.
        this.#path.send(encodeTokenMessage('portAnswer', message.token));
        return;
      case 'portAnswer':
        this.#path.ports.answered(message.token);
        return;
      case 'mtuProbe':
        this.#path.send(encodeMtuAck(message.token, message.size), from);
        return;
      case 'mtuAck':
        this.#path.mtu.acknowledged(message.token, message.size, now);
    }
  }

  /** Much goes to the peer, by a datapath with `ports` further source ports. */
  busy(ports: number, now: Instant): void {
    if (this.#path.current?.kind === 'direct') this.#path.ports.busy(ports, now);
  }

  exhausted(localIndex: number, limit: 'rekey' | 'dead', now: Instant): void {
    const { current } = this.#sessions;
    if (limit === 'dead') this.#sessions.end(localIndex);
    if (current?.localIndex !== localIndex) return;
    if (limit === 'dead') {
      this.#liveness.stop();
      this.#begin(false, now);
      // The peer may count its packets up at will, which must not have us shake hands without end.
    } else this.#timers.setNoLater('rekey', after(current.establishedAt, REKEY_AT_LEAST_MS));
  }

  tick(now: Instant): void {
    const had = this.#sessions.current !== undefined;
    this.#sessions.tick(now);
    if (had && this.#sessions.current === undefined) this.#expired(now);
    if (this.#timers.takeDue('retry', now)) this.#begin(false, now);
    this.#tickExchange(now);
    if (this.#sessions.current !== undefined) {
      this.#tickLiveness(now);
      this.#path.tick(now);
    }
    // Last, as sending may wear a session out.
    if (this.#timers.takeDue('rekey', now) && this.#sessions.current !== undefined) this.#begin(true, now);
  }

  nextTimeout(): Instant | undefined {
    const session = this.#sessions.current !== undefined;
    return earliest(
      this.#timers.next(),
      this.#sessions.nextTimeout(),
      this.#exchange.nextTimeout(),
      session ? this.#liveness.nextTimeout() : undefined,
      session ? this.#path.nextTimeout() : undefined,
    );
  }

  /** Ends everything: sessions, keys, path. The tunnel is not used again. */
  close(now: Instant): void {
    this.#exchange.confirmed();
    this.#sessions.clear();
    this.#path.use(undefined, now);
  }

  /** It goes on where another weftd ended, and packets move again. */
  resumed(now: Instant): void {
    const { current } = this.#sessions;
    this.#timers.set('rekey', current && rekeyTime(current, this.#context.random, current.establishedAt));
    this.#sendWaiting(now);
  }

  /** Starts an attempt unless one is under way or the last failed a moment ago. */
  #begin(rekey: boolean, now: Instant): void {
    if (this.#exchange.isUnderWay) return;
    if (this.#notBefore !== undefined && now < this.#notBefore) return;
    this.#timers.stop('retry');
    this.#exchange.begin(rekey, now);
    this.#tickExchange(now);
  }

  #tickExchange(now: Instant): void {
    if (this.#exchange.tick(now) !== 'gaveUp') return;
    this.#context.counters.add('tunnel.gaveUp');
    this.#notBefore = after(now, GIVE_UP_PAUSE_MS);
    if (this.#wanted) {
      const delayMs = UNREACHABLE_RETRY_MS * (1 + randomUnit(this.#context.random));
      this.#timers.set('retry', after(now, delayMs));
    }
    if (this.#sessions.current !== undefined && !this.#dead) return; // a rekey failed; the session has time left
    this.#unreachable = true;
    this.#path.use(undefined, now);
  }

  #expired(now: Instant): void {
    this.#liveness.stop();
    this.#timers.stop('rekey');
    if (this.#wanted) this.#begin(false, now);
    if (!this.#exchange.isUnderWay) this.#path.use(undefined, now);
  }

  /** A session has become current and the datapath uses it. `from`: where the packet that made it so came from. */
  #established(from: Path, now: Instant): void {
    const session = this.#sessions.current!;
    const { random, datapath } = this.#context;
    this.#dead = false;
    this.#unreachable = false;
    this.#notBefore = undefined;
    this.#timers.stop('retry');
    this.#timers.set('rekey', rekeyTime(session, random, now));
    this.#path.mtu.setFull(Math.min(this.#context.offer.mtu, session.peerMtu), now);
    this.#liveness.start(datapath.stats(this.peer), now);
    this.#ping(now, from); // the first packet of the initiator confirms the session to the responder
    this.#sendWaiting(now);
    if (this.#path.current !== undefined) this.#path.mtu.tick(now);
  }

  #tickLiveness(now: Instant): void {
    if (this.#liveness.nextTimeout() === undefined || this.#liveness.nextTimeout()! > now) return;
    const stats = this.#context.datapath.stats(this.peer);
    this.#path.mtu.look(stats, now);
    const verdict = this.#liveness.tick(stats, now);
    if (verdict === 'ping') this.#ping(now);
    if (verdict !== 'dead') return;
    this.#context.counters.add('tunnel.pathDead');
    this.#dead = true;
    this.#notBefore = undefined; // an attempt that failed earlier had another cause
    this.#path.paths.suspect();
    this.#begin(false, now);
  }

  #ping(now: Instant, fallback?: Path): void {
    this.#path.send(encodeTokenMessage('ping', this.#liveness.ping(now)), fallback);
  }

  #answered(token: Uint8Array, now: Instant): void {
    if (!this.#path.answered(token, now)) return;
    this.#dead = false;
    this.#unreachable = false;
    this.#liveness.start(this.#context.datapath.stats(this.peer), now);
    this.#ping(now);
    this.#sendWaiting(now);
    if (this.#path.current !== undefined) this.#path.mtu.tick(now);
  }

  #keyOf({ noiseKey }: PeerInfo): PeerKey {
    return new PeerKey(this.peer, noiseKey, (key) => this.#context.handshakes.macKeys(key));
  }
}

/** An index that we do not know is no alarm when the peer was heard this lately. */
const HEARD_MS = 1000;
/** And otherwise an alarm this often at most, while there is a session. */
const RECOVER_INTERVAL_MS = 10_000;
/** After an attempt failed a waiting packet starts none for this long. */
const GIVE_UP_PAUSE_MS = 5000;
/** A wanted peer that is unreachable is tried again after this and up to twice as long. */
const UNREACHABLE_RETRY_MS = 30_000;

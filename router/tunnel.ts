import { compareBytes, concat, equalBytes } from '../base/bytes.ts';
import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { after, earliest, type Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { type RandomSource, randomUnit } from '../base/random.ts';
import { CookieJar, MACS_LENGTH, type MacKeys } from '../crypto/cookie.ts';
import { chooseSuite, type Suite, suiteBitmap } from '../crypto/suite.ts';
import { type DataKeys, eraseDataKeys } from '../crypto/transport-keys.ts';
import { Attempt } from './attempt.ts';
import {
  decodeControlMessage,
  encodeChannelMessage,
  encodeMtuAck,
  encodeMtuProbe,
  encodeTokenMessage,
} from './control-message.ts';
import { DATA_OVERHEAD } from './data-packet.ts';
import type { Datapath, Origin, Path } from './datapath.ts';
import type { Initiation, ReceivedInitiation, ResponsePayload } from './handshake.ts';
import { GUARD_TOKEN_LENGTH, HandshakeGuard } from './handshake-guard.ts';
import { Liveness } from './liveness.ts';
import { PathMtu } from './path-mtu.ts';
import { type Challenge, Paths, pathKey, samePath } from './paths.ts';
import { REKEY_AFTER_MS, REKEY_JITTER_MS, RESPONDER_REKEY_AFTER_MS, Sessions } from './sessions.ts';

/** What the peer's signed record says of it. */
export interface PeerInfo {
  /** X25519 static key, 32 bytes. */
  readonly noiseKey: Uint8Array;
  readonly endpoints: readonly Endpoint[];
  /** The boot epoch of the record: a rise means that the peer has restarted and lost its sessions. */
  readonly epoch: number;
}

export type TunnelState = 'idle' | 'handshaking' | 'established' | 'unreachable';

export interface TunnelStatus {
  readonly peer: PeerId;
  readonly state: TunnelState;
  readonly path: Path | undefined;
  readonly suite: Suite | undefined;
  /** Smoothed, milliseconds. */
  readonly rttMs: number | undefined;
  /** The largest inner packet of the path, bytes, and whether a probe of that size came through. */
  readonly mtu: number;
  readonly mtuConfirmed: boolean;
}

/** What one tunnel needs of all of them together. */
export interface TunnelContext {
  readonly datapath: Datapath;
  readonly random: RandomSource;
  readonly counters: Counters;
  readonly self: { readonly noiseKey: Uint8Array; readonly epoch: number };
  /** Bitmaps: what our datapath has, and what the cluster permits. */
  readonly suites: number;
  readonly suiteFloor: number;
  /** The largest inner packet we take, bytes. */
  readonly mtu: number;
  allocateIndex(peer: PeerId): number;
  releaseIndex(localIndex: number): void;
  /** A fresh initiation with a sequence of its own; undefined where the peer's key is no key. */
  initiate(to: PeerId, noiseKey: Uint8Array, localIndex: number, token: Uint8Array): Initiation | undefined;
  /** The keys of the MACs of packets to the holder of `noiseKey`. */
  macKeys(noiseKey: Uint8Array): MacKeys;
  /** Sends a handshake packet along `path`. False when the relay cannot be reached. */
  sendHandshake(packet: Uint8Array, to: PeerId, path: Path, now: Instant): boolean;
  /** A message of an upper layer came. */
  message(from: PeerId, channel: number, bytes: Uint8Array): void;
}

/**
 * The tunnel to one peer: joins the attempt to reach it, its sessions, its paths, the watch over them and the path
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
  readonly #context: TunnelContext;
  readonly #sessions: Sessions;
  readonly #paths: Paths;
  readonly #liveness: Liveness;
  readonly #guard: HandshakeGuard;
  #mtu: PathMtu;
  #info: PeerInfo;
  #attempt: Attempt | undefined;
  #initiation:
    | { readonly message: Initiation; readonly madeAt: Instant; readonly cookieFrom: Set<string> }
    | undefined;
  /** The peer's cookies; at most {@link JARS_MAX}. */
  readonly #jarByPath = new Map<string, CookieJar>();
  #peerMacKeys: MacKeys | undefined;
  /** The last answer given, to be repeated when the same initiation comes again. */
  #answer:
    | { readonly ephemeral: Uint8Array; readonly body: Uint8Array; readonly localIndex: number }
    | undefined;
  #answeredAt: Instant | undefined;
  #token: Uint8Array = NO_TOKEN;
  #wanted = false;
  #dead = false;
  #unreachable = false;
  #retryAt: Instant | undefined;
  #notBefore: Instant | undefined;
  #rekeyAt: Instant | undefined;
  #verifyMtuAt: Instant | undefined;
  #verifiedAtBytes = 0;

  constructor(peer: PeerId, info: PeerInfo, context: TunnelContext, now: Instant) {
    this.peer = peer;
    this.#context = context;
    const { datapath, random } = context;
    this.#sessions = new Sessions({ datapath, released: (index) => context.releaseIndex(index) });
    this.#paths = new Paths({ random });
    this.#liveness = new Liveness({ random });
    this.#guard = new HandshakeGuard({ random });
    this.#mtu = new PathMtu({ full: context.mtu, random });
    this.#info = info;
    this.#paths.setPublished(info.endpoints, now);
    datapath.setMtu(peer, this.#mtu.effective);
  }

  get noiseKey(): Uint8Array {
    return this.#info.noiseKey;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#info.endpoints;
  }

  get state(): TunnelState {
    if (this.#sessions.current !== undefined && !this.#dead) return 'established';
    if (this.#attempt !== undefined) return 'handshaking';
    return this.#unreachable ? 'unreachable' : 'idle';
  }

  status(): TunnelStatus {
    const { current } = this.#sessions;
    return {
      peer: this.peer,
      state: this.state,
      path: this.#paths.current,
      suite: current?.suite,
      rttMs: this.#liveness.rttMs,
      mtu: this.#mtu.effective,
      mtuConfirmed: this.#mtu.confirmed,
    };
  }

  /** A newer record of the peer. */
  setInfo(info: PeerInfo, now: Instant): void {
    const before = this.#info;
    this.#info = info;
    this.#paths.setPublished(info.endpoints, now);
    if (!equalBytes(before.noiseKey, info.noiseKey)) {
      // Sessions with the holder of the old key prove nothing about the peer any more.
      this.#abandon();
      this.#sessions.clear();
      this.#answer = undefined;
      this.#jarByPath.clear();
      this.#peerMacKeys = undefined;
      this.#liveness.stop();
      this.#setPath(undefined, now);
      if (this.#wanted) this.#begin(false, now);
      return;
    }
    const restarted = (this.#sessions.current?.peerEpoch ?? info.epoch) < info.epoch;
    if (restarted && this.#attempt === undefined) {
      this.#context.counters.add('tunnel.peerRestarted');
      this.#begin(false, now);
    } else if (info.endpoints.some((endpoint) => !before.endpoints.includes(endpoint))) {
      this.#attempt?.hurry(now);
      if (this.#unreachable && this.#wanted) this.want(now);
    }
  }

  setRelays(relays: readonly PeerId[], now: Instant): void {
    const had = this.#paths.relays.length > 0;
    this.#paths.setRelays(relays);
    if (!had && relays.length > 0 && this.#paths.candidates().length === 0) this.#attempt?.hurry(now);
  }

  /** Keeps a tunnel to the peer from now on. */
  want(now: Instant): void {
    this.#wanted = true;
    this.need(now);
  }

  /** A packet waits for the tunnel. */
  need(now: Instant): void {
    if (this.#sessions.current === undefined || this.#dead) this.#begin(false, now);
  }

  /** The session is unknown to the peer or to us: a handshake is due, though a session may stand. */
  recover(now: Instant): void {
    const heard = this.#context.datapath.stats(this.peer).lastReceivedAt;
    if (this.#sessions.current !== undefined && heard !== undefined && now < after(heard, HEARD_MS)) return;
    this.#begin(false, now);
  }

  /** Somebody (SWIM) takes the peer for dead: the path is judged within about a second. */
  suspectPath(now: Instant): void {
    if (this.#sessions.current !== undefined && !this.#dead) this.#liveness.hurry(now);
  }

  /** Sends a message of an upper layer. False when there is no session or no path, or it is too long. */
  sendMessage(channel: number, bytes: Uint8Array): boolean {
    const body = encodeChannelMessage(channel, bytes);
    return body.ok && this.#sessions.current !== undefined && this.#send(body.value);
  }

  /** An initiation in our name was read, and its key is the peer's. */
  initiationReceived(received: ReceivedInitiation, from: Origin, now: Instant): void {
    const { counters } = this.#context;
    const { payload } = received;
    const answer = this.#answer;
    const waits = answer !== undefined && this.#sessions.next?.localIndex === answer.localIndex;
    if (waits && equalBytes(answer.ephemeral, received.ephemeral)) {
      received.erase();
      counters.add('handshake.repeated');
      this.#sendResponse(answer.body, from, now);
      return;
    }
    if (this.#winsAgainst(now)) {
      received.erase();
      counters.add('handshake.simultaneous');
      return;
    }
    const echoes = payload.token.some((byte) => byte !== 0);
    if (!echoes && this.#answeredAt !== undefined && now < after(this.#answeredAt, ANSWER_INTERVAL_MS)) {
      received.erase();
      counters.add('handshake.tooSoon');
      return;
    }
    const verdict = this.#guard.judge(payload.epoch, payload.sequence, payload.token, now);
    if (verdict === 'replay') {
      received.erase();
      counters.add('handshake.replayed');
      return;
    }
    this.#answeredAt = now;
    if (verdict === 'regressed') {
      counters.add('handshake.regressed');
      this.#refuse(received, from, now);
    } else this.#accept(received, from, now);
  }

  /** A response to the initiation with `localIndex`, its mac1 checked. */
  responseReceived(packet: Uint8Array, localIndex: number, from: Origin, now: Instant): void {
    const { counters } = this.#context;
    const initiation = this.#initiation?.message;
    if (initiation === undefined || initiation.localIndex !== localIndex) {
      counters.add('handshake.lateResponse');
      return;
    }
    const read = initiation.readResponse(packet);
    if (!read.ok) {
      counters.add(`handshake.response.${read.reason}`);
      // An authentic answer that makes no sense ended that handshake: the next round makes a new initiation.
      if (read.reason === 'badPayload') this.#dropInitiation();
      return;
    }
    const { payload, keys } = read.value;
    if (payload.outcome === 'regressed') {
      counters.add('handshake.weRegressed');
      this.#dropInitiation();
      this.#token = payload.token;
      this.#attempt?.hurry(now);
      return;
    }
    if ((suiteBitmap([payload.suite]) & this.#context.suites & this.#context.suiteFloor) === 0) {
      eraseDataKeys(keys!);
      counters.add('handshake.response.badSuite');
      this.#dropInitiation();
      return;
    }
    this.#installInitiated(localIndex, payload, keys!, from, now);
  }

  /**
   * A cookie reply for the initiation with `localIndex`: the initiation goes out again there, with mac2. Once a
   * path for each initiation, so that a recorded reply cannot make us send on and on.
   */
  cookieReceived(reply: Uint8Array, localIndex: number, from: Origin, now: Instant): void {
    const { counters } = this.#context;
    const initiation = this.#initiation;
    const key = pathKey(from);
    const jar = this.#jarByPath.get(key);
    if (
      initiation?.message.localIndex !== localIndex ||
      jar === undefined ||
      initiation.cookieFrom.has(key)
    ) {
      counters.add('handshake.lateCookie');
      return;
    }
    const taken = jar.take(reply, now);
    if (!taken.ok) {
      counters.add(`handshake.cookie.${taken.reason}`);
      return;
    }
    counters.add('handshake.cookiesTaken');
    initiation.cookieFrom.add(key);
    this.#sendInitiation(initiation.message, from, now);
  }

  confirmed(localIndex: number, from: Origin, now: Instant): void {
    if (!this.#sessions.confirm(localIndex)) return;
    const { datapath } = this.#context;
    this.#abandon();
    this.#answer = undefined;
    if (this.#paths.current === undefined && this.#paths.isPublished(from)) this.#setPath(from, now);
    datapath.use(localIndex);
    // Where the peer chose another way than we, ours is perhaps dead. Both are asked (paths.ts).
    if (this.#paths.current !== undefined && !samePath(this.#paths.current, from)) this.#paths.suspect();
    this.#challenge(this.#paths.moved(from, now));
    this.#established(now);
  }

  moved(from: Origin, now: Instant): void {
    if (this.#liveness.doubtful) this.#paths.suspect();
    this.#challenge(this.#paths.moved(from, now));
  }

  control(body: Uint8Array, from: Origin, now: Instant): void {
    const decoded = decodeControlMessage(body);
    if (!decoded.ok) {
      this.#context.counters.add(`control.${decoded.reason}`);
      return;
    }
    const message = decoded.value;
    switch (message.type) {
      case 'channel':
        this.#context.message(this.peer, message.channel, message.bytes);
        return;
      case 'challenge':
        // The answer proves the way back only if it takes the very way that was asked.
        this.#context.datapath.sendControl(this.peer, encodeTokenMessage('answer', message.token), {
          via: from,
        });
        return;
      case 'answer':
        this.#answered(message.token, from, now);
        return;
      case 'ping':
        this.#send(encodeTokenMessage('pong', message.token), from);
        return;
      case 'pong':
        if (!this.#liveness.pong(message.token, now)) this.#context.counters.add('control.stalePong');
        else this.#paths.proven(now);
        return;
      case 'mtuProbe':
        this.#send(encodeMtuAck(message.token, message.size), from);
        return;
      case 'mtuAck':
        if (!this.#mtu.acknowledged(message.token, message.size, now)) {
          this.#context.counters.add('control.staleMtuAck');
        } else this.#context.datapath.setMtu(this.peer, this.#mtu.effective);
    }
  }

  exhausted(localIndex: number, limit: 'rekey' | 'dead', now: Instant): void {
    const wasCurrent = this.#sessions.current?.localIndex === localIndex;
    if (limit === 'dead') {
      this.#sessions.end(localIndex);
      if (wasCurrent) this.#liveness.stop();
    }
    if (wasCurrent) this.#begin(limit === 'rekey', now);
  }

  tick(now: Instant): void {
    const had = this.#sessions.current !== undefined;
    this.#sessions.tick(now);
    if (had && this.#sessions.current === undefined) this.#expired(now);
    if (this.#rekeyAt !== undefined && this.#rekeyAt <= now) {
      this.#rekeyAt = undefined;
      if (this.#sessions.current !== undefined) this.#begin(true, now);
    }
    if (this.#retryAt !== undefined && this.#retryAt <= now) this.#begin(false, now);
    this.#tickAttempt(now);
    if (this.#sessions.current === undefined) return;
    this.#tickLiveness(now);
    this.#challenge(this.#paths.tick(now));
    this.#tickMtu(now);
  }

  nextTimeout(): Instant | undefined {
    const session = this.#sessions.current !== undefined;
    return earliest(
      this.#sessions.nextTimeout(),
      this.#rekeyAt,
      this.#retryAt,
      this.#attempt?.nextTimeout(),
      session ? this.#liveness.nextTimeout() : undefined,
      session ? this.#paths.nextTimeout() : undefined,
      session && this.#paths.current !== undefined
        ? earliest(this.#mtu.nextTimeout(), this.#verifyMtuAt)
        : undefined,
    );
  }

  /** Ends everything: sessions, keys, path. The tunnel is not used again. */
  close(now: Instant): void {
    this.#abandon();
    this.#sessions.clear();
    this.#answer = undefined;
    this.#setPath(undefined, now);
  }

  /** Starts an attempt unless one is under way or the last failed a moment ago. */
  #begin(rekey: boolean, now: Instant): void {
    if (this.#attempt !== undefined) return;
    if (this.#notBefore !== undefined && now < this.#notBefore) return;
    this.#retryAt = undefined;
    this.#attempt = new Attempt({ now, rekey, random: this.#context.random });
    this.#tickAttempt(now);
  }

  #tickAttempt(now: Instant): void {
    const due = this.#attempt?.tick(this.#paths, now);
    if (due === undefined || due.length === 0) return;
    if (due === 'gaveUp') {
      this.#gaveUp(now);
      return;
    }
    const initiation = this.#freshInitiation(now);
    if (initiation === undefined) return;
    for (const path of due) {
      const sent = this.#sendInitiation(initiation, path, now);
      this.#context.counters.add(sent ? 'handshake.initiationsSent' : 'handshake.initiationsUnsent');
    }
  }

  #sendInitiation(initiation: Initiation, path: Path, now: Instant): boolean {
    const key = pathKey(path);
    let jar = this.#jarByPath.get(key);
    if (jar === undefined) {
      // Cookies are for the address that the peer saw, so each path has its own.
      if (this.#jarByPath.size >= JARS_MAX) this.#jarByPath.clear();
      jar = new CookieJar(this.#macKeys());
      this.#jarByPath.set(key, jar);
    }
    const packet = concat(initiation.body, NO_MACS);
    jar.stamp(packet, now);
    return this.#context.sendHandshake(packet, this.peer, path, now);
  }

  /** A response needs no cookie: it is only read where an initiation waits for it. */
  #sendResponse(body: Uint8Array, path: Path, now: Instant): void {
    const packet = concat(body, NO_MACS);
    new CookieJar(this.#macKeys()).stamp(packet, now);
    this.#context.sendHandshake(packet, this.peer, path, now);
  }

  #macKeys(): MacKeys {
    this.#peerMacKeys ??= this.#context.macKeys(this.noiseKey);
    return this.#peerMacKeys;
  }

  /** The initiation under way; a new one when it is old. Sent again it stays the same bytes (see #answer). */
  #freshInitiation(now: Instant): Initiation | undefined {
    if (this.#initiation !== undefined && now < after(this.#initiation.madeAt, INITIATION_LIFETIME_MS)) {
      return this.#initiation.message;
    }
    this.#dropInitiation();
    const localIndex = this.#context.allocateIndex(this.peer);
    const message = this.#context.initiate(this.peer, this.noiseKey, localIndex, this.#token);
    this.#token = NO_TOKEN;
    if (message === undefined) {
      this.#context.releaseIndex(localIndex);
      this.#context.counters.add('handshake.badPeerKey');
      return undefined;
    }
    this.#initiation = { message, madeAt: now, cookieFrom: new Set() };
    return message;
  }

  #dropInitiation(keepIndex = false): void {
    if (this.#initiation === undefined) return;
    const { localIndex } = this.#initiation.message;
    this.#initiation.message.erase();
    this.#initiation = undefined;
    if (!keepIndex) this.#context.releaseIndex(localIndex);
  }

  #abandon(): void {
    this.#attempt = undefined;
    this.#dropInitiation();
  }

  #gaveUp(now: Instant): void {
    this.#context.counters.add('tunnel.gaveUp');
    this.#abandon();
    this.#notBefore = after(now, GIVE_UP_PAUSE_MS);
    if (this.#wanted) {
      this.#retryAt = after(now, UNREACHABLE_RETRY_MS * (1 + randomUnit(this.#context.random)));
    }
    if (this.#sessions.current !== undefined && !this.#dead) return; // a rekey failed; the session has time left
    this.#unreachable = true;
    this.#setPath(undefined, now);
  }

  #expired(now: Instant): void {
    this.#liveness.stop();
    this.#rekeyAt = undefined;
    if (this.#wanted) this.#begin(false, now);
    if (this.#attempt === undefined) this.#setPath(undefined, now);
  }

  /** Whether we drop the peer's initiation because our own, under way at the same time, has precedence. */
  #winsAgainst(now: Instant): boolean {
    if (this.#attempt === undefined || this.#initiation === undefined) return false;
    if (now > after(this.#attempt.startedAt, SIMULTANEOUS_MS)) return false;
    return compareBytes(this.#context.self.noiseKey, this.noiseKey) < 0;
  }

  #refuse(received: ReceivedInitiation, from: Origin, now: Instant): void {
    const { epoch } = this.#context.self;
    const token = this.#guard.token(now);
    const response = received.respond({ outcome: 'regressed', epoch, mtu: this.#context.mtu, token });
    if (response.ok) this.#sendResponse(response.value.body, from, now);
  }

  #accept(received: ReceivedInitiation, from: Origin, now: Instant): void {
    const { counters, self } = this.#context;
    const { payload, remoteIndex } = received;
    const suite = chooseSuite(this.#context.suites, payload.suites, this.#context.suiteFloor);
    if (suite === undefined) {
      received.erase();
      counters.add('handshake.noCommonSuite');
      return;
    }
    const localIndex = this.#context.allocateIndex(this.peer);
    const response = received.respond({
      outcome: 'accepted',
      epoch: self.epoch,
      mtu: this.#context.mtu,
      suite,
      index: localIndex,
    });
    if (!response.ok) {
      this.#context.releaseIndex(localIndex);
      counters.add('handshake.badPeerKey');
      return;
    }
    const keys = response.value.keys!;
    this.#sessions.installResponded(
      { peer: this.peer, localIndex, remoteIndex, suite, ...keys },
      { peerEpoch: payload.epoch, peerMtu: payload.mtu },
      now,
    );
    eraseDataKeys(keys);
    const { body } = response.value;
    this.#answer = { ephemeral: received.ephemeral, body, localIndex };
    this.#attempt?.postpone(SIMULTANEOUS_MS, now);
    counters.add('handshake.answered');
    this.#sendResponse(body, from, now);
  }

  #installInitiated(
    localIndex: number,
    payload: Extract<ResponsePayload, { outcome: 'accepted' }>,
    keys: DataKeys,
    from: Origin,
    now: Instant,
  ): void {
    const { datapath } = this.#context;
    const asked = this.#attempt?.hasAsked(from) ?? false;
    this.#sessions.installInitiated(
      { peer: this.peer, localIndex, remoteIndex: payload.index, suite: payload.suite, ...keys },
      { peerEpoch: payload.epoch, peerMtu: payload.mtu },
      now,
    );
    eraseDataKeys(keys);
    this.#attempt = undefined;
    this.#dropInitiation(true);
    this.#context.counters.add('handshake.completed');
    if (asked) this.#setPath(from, now);
    datapath.use(localIndex);
    if (!asked) this.#challenge(this.#paths.moved(from, now));
    this.#established(now);
  }

  /** A session has become current and the datapath uses it. */
  #established(now: Instant): void {
    const session = this.#sessions.current!;
    const { random, datapath } = this.#context;
    this.#dead = false;
    this.#unreachable = false;
    this.#notBefore = undefined;
    this.#retryAt = undefined;
    this.#rekeyAt = session.initiator
      ? after(now, REKEY_AFTER_MS - REKEY_JITTER_MS * randomUnit(random))
      : after(now, RESPONDER_REKEY_AFTER_MS + REKEY_JITTER_MS * randomUnit(random));
    const full = Math.min(this.#context.mtu, session.peerMtu);
    if (full !== this.#mtu.full) {
      this.#mtu = new PathMtu({ full, random });
      this.#restartMtu(now);
    }
    this.#liveness.start(datapath.stats(this.peer), now);
    this.#ping(now); // the first packet of the initiator confirms the session to the responder
    this.#tickMtu(now);
  }

  #tickLiveness(now: Instant): void {
    if (this.#liveness.nextTimeout() === undefined || this.#liveness.nextTimeout()! > now) return;
    const verdict = this.#liveness.tick(this.#context.datapath.stats(this.peer), now);
    if (verdict === 'ping') this.#ping(now);
    if (verdict !== 'dead') return;
    this.#context.counters.add('tunnel.pathDead');
    this.#dead = true;
    this.#paths.suspect();
    this.#begin(false, now);
  }

  #ping(now: Instant): void {
    this.#send(encodeTokenMessage('ping', this.#liveness.ping(now)));
  }

  #tickMtu(now: Instant): void {
    if (this.#paths.current === undefined) return;
    if (this.#verifyMtuAt !== undefined && this.#verifyMtuAt <= now) {
      this.#verifyMtuAt = after(now, VERIFY_MTU_MS);
      const { sentBytes } = this.#context.datapath.stats(this.peer);
      if (sentBytes - this.#verifiedAtBytes >= VERIFY_MTU_BYTES) this.#mtu.verify(now);
      this.#verifiedAtBytes = sentBytes;
    }
    const before = this.#mtu.effective;
    for (let probe = this.#mtu.tick(now); probe !== undefined; probe = this.#mtu.tick(now)) {
      this.#context.datapath.sendControl(this.peer, encodeMtuProbe(probe.token, probe.size), {
        padTo: probe.size + DATA_OVERHEAD,
      });
    }
    if (this.#mtu.effective === before) return;
    this.#context.counters.add('tunnel.mtuLowered');
    this.#context.datapath.setMtu(this.peer, this.#mtu.effective);
  }

  #restartMtu(now: Instant): void {
    this.#mtu.restart(now);
    this.#verifyMtuAt = after(now, VERIFY_MTU_MS);
    this.#context.datapath.setMtu(this.peer, this.#mtu.effective);
  }

  #answered(token: Uint8Array, from: Origin, now: Instant): void {
    const outcome = this.#paths.answered(token, from, now);
    this.#context.counters.add(`path.${outcome}`);
    if (outcome !== 'moved') return;
    this.#pathTaken(now);
    this.#dead = false;
    this.#unreachable = false;
    this.#liveness.start(this.#context.datapath.stats(this.peer), now);
    this.#ping(now);
    this.#tickMtu(now);
  }

  #challenge(challenges: readonly Challenge[]): void {
    for (const { path, token } of challenges) {
      this.#context.counters.add('path.challenged');
      this.#context.datapath.sendControl(this.peer, encodeTokenMessage('challenge', token), { via: path });
    }
  }

  #setPath(path: Path | undefined, now: Instant): void {
    const before = this.#paths.current;
    this.#paths.use(path, now);
    if (path === undefined) {
      this.#mtu.stop();
      this.#context.datapath.setPath(this.peer, undefined);
    } else if (before === undefined || !samePath(before, path)) this.#pathTaken(now);
  }

  /** {@link Paths.current} has changed to another path. */
  #pathTaken(now: Instant): void {
    this.#context.datapath.setPath(this.peer, this.#paths.current);
    this.#restartMtu(now);
  }

  /** Along the path in use; where there is none, back along `fallback`. */
  #send(body: Uint8Array, fallback?: Path): boolean {
    const { datapath } = this.#context;
    if (this.#paths.current !== undefined) return datapath.sendControl(this.peer, body);
    return fallback !== undefined && datapath.sendControl(this.peer, body, { via: fallback });
  }
}

const NO_MACS = new Uint8Array(MACS_LENGTH);
/** As many as there can be paths, and some that are gone. */
const JARS_MAX = 16;
/** No echo of a token (handshake-guard.ts). */
const NO_TOKEN = new Uint8Array(GUARD_TOKEN_LENGTH);
/** An initiation is sent again as it is for this long, then made anew. */
export const INITIATION_LIFETIME_MS = 5000;
/** How long our own initiation outranks the peer's, when our static key is the lower; also how long it then waits. */
export const SIMULTANEOUS_MS = 1000;
/** Least time between two initiations of one peer that are answered. */
export const ANSWER_INTERVAL_MS = 50;
/** An index that we do not know is no alarm when the peer was heard this lately. */
export const HEARD_MS = 1000;
/** After an attempt failed a waiting packet starts none for this long. */
export const GIVE_UP_PAUSE_MS = 5000;
/** A wanted peer that is unreachable is tried again after this and up to twice as long. */
export const UNREACHABLE_RETRY_MS = 30_000;
/** The path MTU in use is confirmed this often, when that much was sent meanwhile. */
export const VERIFY_MTU_MS = 30_000;
export const VERIFY_MTU_BYTES = 65_536;

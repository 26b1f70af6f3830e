import { compareBytes, concat, equalBytes } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { CookieJar, MACS_LENGTH, type MacKeys } from '../../crypto/cookie.ts';
import { chooseSuite, suiteBitmap } from '../../crypto/suite.ts';
import { eraseDataKeys } from '../../crypto/transport-keys.ts';
import type { Origin, Path } from '../datapath/datapath.ts';
import type { Initiation, ReceivedInitiation } from './handshake.ts';
import { HandshakeAttempt } from './handshake-attempt.ts';
import { GUARD_TOKEN_LENGTH, HandshakeGuard } from './handshake-guard.ts';
import { type Paths, pathKey } from './paths.ts';
import type { Sessions } from './sessions.ts';
import type { TunnelContext } from './tunnel-context.ts';
import { COUNTER_BY_COOKIE_FAULT, COUNTER_BY_RESPONSE_FAULT } from './tunnel-counters.ts';

/**
 * The handshakes with one peer, both ways: the attempt of ours that is under way, with its initiation and the
 * peer's cookies, and the answers to the peer's. Sessions that come of it go into `sessions`; what they mean for
 * paths and timers is the tunnel's affair.
 *
 * The same initiation always gets the same answer while that waits for its confirmation. So an initiation may be
 * sent along several paths, again and again, doubled and reordered on the way, and still makes one session.
 *
 * When both ends begin at once, the one with the lower static key ignores the other's initiation for the first
 * second of its own attempt (if that reaches nobody, the other one then gets through), and who answers lets its
 * own attempt rest for a second.
 */
export class Exchange {
  readonly #peer: PeerId;
  readonly #context: TunnelContext;
  readonly #paths: Paths;
  readonly #sessions: Sessions;
  readonly #guard: HandshakeGuard;
  #noiseKey: Uint8Array;
  #peerMacKeys: MacKeys | undefined;
  #attempt: HandshakeAttempt | undefined;
  #initiation:
    | {
        readonly message: Initiation;
        readonly madeAt: Instant;
        readonly cookieFrom: Set<string>;
        /** Responses that could not be read, by the path they came by; all that we did not ask are one. */
        readonly unreadableByPath: Map<string, number>;
      }
    | undefined;
  /** The peer's cookies; at most {@link JARS_MAX}. */
  readonly #jarByPath = new Map<string, CookieJar>();
  /** The last answer given, to be repeated when the same initiation comes again. */
  #answer: Answer | undefined;
  /** Only what was accepted counts: no recording may use up the peer's share. */
  #acceptedAt: Instant | undefined;
  #token: Uint8Array = NO_TOKEN;
  #hurriedAt: Instant | undefined;

  /** `noiseKey`: the peer's static key, 32 bytes. */
  constructor(options: {
    readonly peer: PeerId;
    readonly noiseKey: Uint8Array;
    readonly context: TunnelContext;
    readonly paths: Paths;
    readonly sessions: Sessions;
  }) {
    this.#peer = options.peer;
    this.#noiseKey = options.noiseKey;
    this.#context = options.context;
    this.#paths = options.paths;
    this.#sessions = options.sessions;
    this.#guard = new HandshakeGuard({ random: options.context.random });
  }

  /** The peer has another static key: everything that hung on the old one is void. */
  setNoiseKey(noiseKey: Uint8Array): void {
    this.abandon();
    this.#noiseKey = noiseKey;
    this.#peerMacKeys = undefined;
    this.#jarByPath.clear();
    this.#answer = undefined;
  }

  get isUnderWay(): boolean {
    return this.#attempt !== undefined;
  }

  /** Begins an attempt; there must be none. `rekey`: a session is in use. The first {@link tick} sends. */
  begin(rekey: boolean, now: Instant): void {
    this.#attempt = new HandshakeAttempt({ now, rekey, random: this.#context.random });
  }

  /** There are new ways to try. */
  hurry(now: Instant): void {
    this.#attempt?.hurry(now);
  }

  /** Ends the attempt under way, if any. */
  abandon(): void {
    this.#attempt = undefined;
    this.#dropInitiation();
  }

  /** The peer has confirmed the session we answered with: our own attempt has no aim any more. */
  confirmed(): void {
    this.abandon();
    this.#answer = undefined;
  }

  /** Whether the answer that waits for its confirmation went to `path` alone, so that a confirmation proves it. */
  answeredOnly(path: Path): boolean {
    return this.#answer?.sentTo.size === 1 && this.#answer.sentTo.has(pathKey(path));
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
      if (answer.sentTo.size < 2) answer.sentTo.add(pathKey(from)); // more than one are as good as many
      this.#sendResponse(answer.body, from, now);
      return;
    }
    if (this.#winsAgainst(now)) {
      received.erase();
      counters.add('handshake.simultaneous');
      return;
    }
    const echoes = this.#guard.echoes(payload.token, now);
    if (!echoes && this.#acceptedAt !== undefined && now < after(this.#acceptedAt, ACCEPT_INTERVAL_MS)) {
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
    if (verdict === 'regressed') {
      counters.add('handshake.regressed');
      this.#refuse(received, from, now);
    } else this.#accept(received, from, now);
  }

  /**
   * A response to the initiation with `localIndex`, its mac1 checked. When it completes the handshake: whether that
   * proves `from`; the new session is current and the datapath has it installed, not yet in use.
   */
  responseReceived(
    packet: Uint8Array,
    localIndex: number,
    from: Origin,
    now: Instant,
  ): { readonly proven: boolean } | undefined {
    const { counters } = this.#context;
    const initiation = this.#initiation;
    if (initiation === undefined || initiation.message.localIndex !== localIndex) {
      counters.add('handshake.lateResponse');
      return undefined;
    }
    // Any member that saw the initiation pass, above all a relay, can have us try keys: but so often only.
    const way = this.#jarByPath.has(pathKey(from)) ? pathKey(from) : 'elsewhere';
    const unreadable = initiation.unreadableByPath.get(way) ?? 0;
    if (unreadable >= UNREADABLE_MAX) {
      counters.add('handshake.limited');
      return undefined;
    }
    const read = initiation.message.readResponse(packet);
    if (!read.ok) {
      counters.add(COUNTER_BY_RESPONSE_FAULT[read.reason]);
      initiation.unreadableByPath.set(way, unreadable + 1);
      // An authentic answer that makes no sense ended that handshake: the next round makes a new initiation.
      if (read.reason === 'badPayload') this.#dropInitiation();
      return undefined;
    }
    const { payload, keys } = read.value;
    if (payload.outcome === 'regressed') {
      counters.add('handshake.weRegressed');
      this.#dropInitiation();
      this.#token = payload.token;
      // Not each time: a peer that never says anything else must not have us begin anew as fast as it answers.
      if (this.#hurriedAt === undefined || now >= after(this.#hurriedAt, REGRESSED_HURRY_MS)) {
        this.#hurriedAt = now;
        this.#attempt?.hurry(now);
      }
      return undefined;
    }
    if ((suiteBitmap([payload.suite]) & this.#context.suites & this.#context.suiteFloor) === 0) {
      eraseDataKeys(keys!);
      counters.add('handshake.responseBadSuite');
      this.#dropInitiation();
      return undefined;
    }
    const proven = this.#attempt?.provenBy(from) ?? false;
    this.#sessions.installInitiated(
      { peer: this.#peer, localIndex, remoteIndex: payload.index, suite: payload.suite, ...keys! },
      { peerEpoch: payload.epoch, peerMtu: payload.mtu },
      now,
    );
    eraseDataKeys(keys!);
    this.#attempt = undefined;
    this.#dropInitiation(true);
    counters.add('handshake.completed');
    return { proven };
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
      counters.add(COUNTER_BY_COOKIE_FAULT[taken.reason]);
      return;
    }
    counters.add('handshake.cookiesTaken');
    initiation.cookieFrom.add(key);
    this.#sendInitiation(initiation.message, from, now);
  }

  /** Sends what is due. 'gaveUp' once, when the attempt is over. */
  tick(now: Instant): 'gaveUp' | undefined {
    const due = this.#attempt?.tick(this.#paths, now);
    if (due === undefined || due.length === 0) return undefined;
    if (due === 'gaveUp') {
      this.abandon();
      return 'gaveUp';
    }
    const initiation = this.#freshInitiation(now);
    for (const path of initiation === undefined ? [] : due) {
      const sent = this.#sendInitiation(initiation!, path, now);
      this.#context.counters.add(sent ? 'handshake.initiationsSent' : 'handshake.initiationsUnsent');
    }
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    return this.#attempt?.nextTimeout();
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
    return this.#context.sendHandshake(packet, this.#peer, path, now);
  }

  /** A response needs no cookie: it is only read where an initiation waits for it. */
  #sendResponse(body: Uint8Array, path: Path, now: Instant): void {
    const packet = concat(body, NO_MACS);
    new CookieJar(this.#macKeys()).stamp(packet, now);
    this.#context.sendHandshake(packet, this.#peer, path, now);
  }

  #macKeys(): MacKeys {
    this.#peerMacKeys ??= this.#context.macKeys(this.#noiseKey);
    return this.#peerMacKeys;
  }

  /** The initiation under way; a new one when it is old. Sent again it stays the same bytes (see #answer). */
  #freshInitiation(now: Instant): Initiation | undefined {
    if (this.#initiation !== undefined && now < after(this.#initiation.madeAt, INITIATION_LIFETIME_MS)) {
      return this.#initiation.message;
    }
    this.#dropInitiation();
    const localIndex = this.#context.allocateIndex(this.#peer);
    const message = this.#context.initiate(this.#peer, this.#noiseKey, localIndex, this.#token);
    this.#token = NO_TOKEN;
    if (message === undefined) {
      this.#context.releaseIndex(localIndex);
      this.#context.counters.add('handshake.badPeerKey');
      return undefined;
    }
    this.#initiation = { message, madeAt: now, cookieFrom: new Set(), unreadableByPath: new Map() };
    return message;
  }

  #dropInitiation(keepIndex = false): void {
    if (this.#initiation === undefined) return;
    const { localIndex } = this.#initiation.message;
    this.#initiation.message.erase();
    this.#initiation = undefined;
    if (!keepIndex) this.#context.releaseIndex(localIndex);
  }

  /** Whether we drop the peer's initiation because our own, under way at the same time, has precedence. */
  #winsAgainst(now: Instant): boolean {
    if (this.#attempt === undefined || this.#initiation === undefined) return false;
    if (now > after(this.#attempt.startedAt, SIMULTANEOUS_MS)) return false;
    return compareBytes(this.#context.self.noiseKey, this.#noiseKey) < 0;
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
    const localIndex = this.#context.allocateIndex(this.#peer);
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
      { peer: this.#peer, localIndex, remoteIndex, suite, ...keys },
      { peerEpoch: payload.epoch, peerMtu: payload.mtu },
      now,
    );
    eraseDataKeys(keys);
    const { body } = response.value;
    this.#answer = { ephemeral: received.ephemeral, body, localIndex, sentTo: new Set([pathKey(from)]) };
    this.#acceptedAt = now;
    this.#attempt?.postpone(SIMULTANEOUS_MS, now);
    counters.add('handshake.answered');
    this.#sendResponse(body, from, now);
  }
}

interface Answer {
  readonly ephemeral: Uint8Array;
  readonly body: Uint8Array;
  readonly localIndex: number;
  /** Keys of the paths it went to, at most two. */
  readonly sentTo: Set<string>;
}

const NO_MACS = new Uint8Array(MACS_LENGTH);
/** As many as there can be paths, and some that are gone. */
const JARS_MAX = 16;
/** No echo of a token (handshake-guard.ts). */
const NO_TOKEN = new Uint8Array(GUARD_TOKEN_LENGTH);
/** Responses along one path to one initiation that may turn out to be forged: 6 a second. */
export const UNREADABLE_MAX = 32;
/** An initiation is sent again as it is for this long, then made anew. */
export const INITIATION_LIFETIME_MS = 5000;
/** How long our own initiation outranks the peer's, when our static key is the lower; also how long it then waits. */
export const SIMULTANEOUS_MS = 1000;
/** Least time between two new initiations at once because the peer said that ours had regressed. */
export const REGRESSED_HURRY_MS = 1000;
/** Least time between two initiations of one peer that make sessions. */
export const ACCEPT_INTERVAL_MS = 50;

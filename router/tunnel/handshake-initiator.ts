import { concat } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import { CookieJar, MACS_LENGTH } from '../../crypto/cookie.ts';
import { suiteBitmap } from '../../crypto/suite.ts';
import { eraseDataKeys } from '../../crypto/transport-keys.ts';
import type { Origin, Path } from '../datapath/datapath.ts';
import type { Initiation } from '../handshake/handshake.ts';
import { GUARD_TOKEN_LENGTH } from '../handshake/handshake-guard.ts';
import type { PeerKey } from '../handshake/peer-key.ts';
import { HandshakeAttempt } from './handshake-attempt.ts';
import { type Paths, pathKey } from './paths.ts';
import type { Sessions } from './sessions.ts';
import type { TunnelContext } from './tunnel-context.ts';
import { COUNTER_BY_COOKIE_FAULT, COUNTER_BY_RESPONSE_FAULT } from './tunnel-counters.ts';

/**
 * The handshakes that we begin with one peer: the attempt under way, its initiation, the peer's cookies, and the
 * response that completes it.
 *
 * An initiation goes along several paths, again and again, as the same bytes: the peer gives the same answer to the
 * same initiation (handshake-responder.ts), so that all of them together make one session.
 */
export class HandshakeInitiator {
  readonly #context: TunnelContext;
  readonly #paths: Paths;
  readonly #sessions: Sessions;
  #key: PeerKey;
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
  #token: Uint8Array = NO_TOKEN;
  #hurriedAt: Instant | undefined;
  #calledBackAt: Instant | undefined;

  constructor(options: {
    readonly key: PeerKey;
    readonly context: TunnelContext;
    readonly paths: Paths;
    readonly sessions: Sessions;
  }) {
    this.#key = options.key;
    this.#context = options.context;
    this.#paths = options.paths;
    this.#sessions = options.sessions;
  }

  /** The peer has another static key: everything that hung on the old one is void. */
  setKey(key: PeerKey): void {
    this.abandon();
    this.#key = key;
    this.#jarByPath.clear();
  }

  get isUnderWay(): boolean {
    return this.#attempt !== undefined;
  }

  /** When the attempt whose initiation has gone out began; undefined where there is none. */
  get initiatedAt(): Instant | undefined {
    return this.#initiation === undefined ? undefined : this.#attempt?.startedAt;
  }

  /** Begins an attempt; there must be none. `rekey`: a session is in use. The first {@link tick} sends. */
  begin(rekey: boolean, now: Instant): void {
    this.#attempt = new HandshakeAttempt({ now, rekey, random: this.#context.random });
  }

  /** There are new ways to try. */
  hurry(now: Instant): void {
    this.#attempt?.hurry(now);
  }

  /** The peer is busy with a handshake of its own: ours rests for `ms`. */
  postpone(ms: number, now: Instant): void {
    this.#attempt?.postpone(ms, now);
  }

  /**
   * The peer's own initiation came from `path` while ours is under way: we send ours there as well, at
   * most once in {@link CALL_BACK_INTERVAL_MS}. Ours has no more bytes than the one that came,
   * so nobody can use us to amplify a flood.
   */
  callBack(path: Path, now: Instant): void {
    if (this.#attempt === undefined || this.#initiation === undefined) return;
    if (this.#calledBackAt !== undefined && now < after(this.#calledBackAt, CALL_BACK_INTERVAL_MS)) return;
    this.#calledBackAt = now;
    this.#attempt.noteAsked(path);
    const sent = this.#send(this.#initiation.message, path, now);
    this.#context.counters.add(sent ? 'handshake.initiationsSent' : 'handshake.initiationsUnsent');
  }

  /** Ends the attempt under way, if any. */
  abandon(): void {
    this.#attempt = undefined;
    this.#dropInitiation();
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
    const { counters, offer } = this.#context;
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
      this.#regressed(payload.token, now);
      return undefined;
    }
    if ((suiteBitmap([payload.suite]) & offer.suites & offer.suiteFloor) === 0) {
      eraseDataKeys(keys!);
      counters.add('handshake.responseBadSuite');
      this.#dropInitiation();
      return undefined;
    }
    const proven = this.#attempt?.provenBy(from) ?? false;
    this.#sessions.installInitiated(
      {
        peer: this.#key.peer,
        localIndex,
        remoteIndex: payload.index,
        suite: payload.suite,
        peerTakesMarks: payload.takesMarks,
        ...keys!,
      },
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
    this.#send(initiation.message, from, now);
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
      const sent = this.#send(initiation!, path, now);
      this.#context.counters.add(sent ? 'handshake.initiationsSent' : 'handshake.initiationsUnsent');
    }
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    return this.#attempt?.nextTimeout();
  }

  #send(initiation: Initiation, path: Path, now: Instant): boolean {
    const key = pathKey(path);
    let jar = this.#jarByPath.get(key);
    if (jar === undefined) {
      // Cookies are for the address that the peer saw, so each path has its own.
      if (this.#jarByPath.size >= JARS_MAX) this.#jarByPath.clear();
      jar = new CookieJar(this.#key.macKeys);
      this.#jarByPath.set(key, jar);
    }
    const packet = concat(initiation.body, NO_MACS);
    jar.stamp(packet, now);
    return this.#context.handshakes.send(packet, this.#key.peer, path, now);
  }

  /** The initiation under way; a new one when it is old. */
  #freshInitiation(now: Instant): Initiation | undefined {
    if (this.#initiation !== undefined && now < after(this.#initiation.madeAt, INITIATION_LIFETIME_MS)) {
      return this.#initiation.message;
    }
    this.#dropInitiation();
    const { indices, handshakes, counters } = this.#context;
    const localIndex = indices.allocate(this.#key.peer);
    const message = handshakes.initiate(this.#key, localIndex, this.#token);
    this.#token = NO_TOKEN;
    if (message === undefined) {
      indices.release(localIndex);
      counters.add('handshake.badPeerKey');
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
    if (!keepIndex) this.#context.indices.release(localIndex);
  }

  /** The peer knows a newer boot epoch of ours: the next initiation echoes its token. */
  #regressed(token: Uint8Array, now: Instant): void {
    this.#context.counters.add('handshake.weRegressed');
    this.#dropInitiation();
    this.#token = token;
    // Not each time: a peer that never says anything else must not have us begin anew as fast as it answers.
    if (this.#hurriedAt !== undefined && now < after(this.#hurriedAt, REGRESSED_HURRY_MS)) return;
    this.#hurriedAt = now;
    this.#attempt?.hurry(now);
  }
}

const NO_MACS = new Uint8Array(MACS_LENGTH);
/** Cookies are kept for so many paths: more than there can be at once, so also for some that are gone. */
const JARS_MAX = 16;
/** No echo of a token (handshake-guard.ts). */
const NO_TOKEN = new Uint8Array(GUARD_TOKEN_LENGTH);
/** Responses along one path to one initiation that may turn out to be forged: 6 a second. */
export const UNREADABLE_MAX = 32;
/** An initiation is sent again as it is for this long, then made anew. */
const INITIATION_LIFETIME_MS = 5000;
/** Least time between two initiations that go back to where the peer's came from. */
const CALL_BACK_INTERVAL_MS = 100;
/** Least time between two new initiations at once because the peer said that ours had regressed. */
const REGRESSED_HURRY_MS = 1000;

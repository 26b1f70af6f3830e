import { assert } from '../../base/assert.ts';
import { equalBytes } from '../../base/bytes.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { Path } from '../datapath/datapath.ts';
import { DATA_OVERHEAD, INNER_HEADER_LENGTH, PAD_TO } from '../packet/data-packet.ts';
import { CONTROL_TOKEN_LENGTH, TOKEN_MESSAGE_LENGTH } from './control-message.ts';

/**
 * The ways to one peer: which are worth trying, which is used, which are being proven.
 *
 * Where packets of a peer come from proves nothing: whoever sits on the way can send them on from elsewhere. So a
 * path is used only after it is proven in both directions, by one of
 *  - a handshake's response from an endpoint to which, and nowhere else, we sent the initiation of our own accord;
 *  - a first packet from an endpoint that the peer's signed record names, and to which alone our response went;
 *  - an answer to an encrypted challenge sent there, wherever the answer comes from (RFC 9000 §8.2.3): only who
 *    receives there can give it, and who copies packets faster than they travel could spoil any other rule.
 * When packets come from a new place, the place in use is challenged along with it, and keeps the traffic if it
 * answers first: copying packets from elsewhere moves nothing (RFC 9000 §9.3.3).
 *
 * Direct goes before relay. While relayed, the direct ways are challenged again every 5 to 60 s.
 */
export class Paths {
  readonly #random: RandomSource;
  #published: readonly Endpoint[] = [];
  /** Proven ways that the record does not name (behind a NAT), latest first; at most {@link OBSERVED_MAX}. */
  #observed: Endpoint[] = [];
  #relays: readonly PeerId[] = [];
  #current: Path | undefined;
  #lastDirect: Endpoint | undefined;
  #suspect = false;
  /** Challenges under way by {@link pathKey}; at most {@link CHALLENGES_MAX}. */
  readonly #challengeByKey = new Map<string, OutstandingChallenge>();
  #currentProvenAt: Instant | undefined;
  /** Where the peer was heard last while no way to it was in use. */
  #heardFrom: Path | undefined;
  #lastMoveAt: Instant | undefined;
  #tryDirectAt: Instant | undefined;
  #tryDirectMs = DIRECT_RETRY_FIRST_MS;

  constructor(options: { readonly random: RandomSource }) {
    this.#random = options.random;
  }

  get current(): Path | undefined {
    return this.#current;
  }

  get relays(): readonly PeerId[] {
    return this.#relays;
  }

  /** The way in use, or else the likeliest direct one, proven or not. */
  get likeliest(): Path | undefined {
    const [endpoint] = this.#current === undefined ? this.candidates() : [];
    return endpoint === undefined ? this.#current : { kind: 'direct', endpoint };
  }

  /** Direct ways to try, the likeliest first. */
  candidates(): Endpoint[] {
    const all = new Set<Endpoint>();
    if (this.#lastDirect !== undefined) all.add(this.#lastDirect);
    for (const endpoint of this.#observed) all.add(endpoint);
    for (const endpoint of this.#published) all.add(endpoint);
    return [...all];
  }

  /** Whether the peer's signed record names `path`. A relay is never named there. */
  isPublished(path: Path): boolean {
    return path.kind === 'direct' && this.#published.includes(path.endpoint);
  }

  /** Proven ways that the peer's record does not name, latest first. */
  get observed(): readonly Endpoint[] {
    return this.#observed;
  }

  /** What another weftd of this node had proven is so here, too: the way in use, and those that the record does not name. */
  resume(path: Path, observed: readonly Endpoint[], now: Instant): void {
    this.#observed = observed.slice(0, OBSERVED_MAX);
    this.use(path, now);
  }

  /** The endpoints of the peer's record; what is over {@link PUBLISHED_MAX} is left out. */
  setPublished(endpoints: readonly Endpoint[], now: Instant): void {
    const before = this.#published;
    this.#published = endpoints.slice(0, PUBLISHED_MAX);
    if (this.#lastDirect !== undefined && !this.#isKnown(this.#lastDirect)) this.#lastDirect = undefined;
    const fresh = this.#published.some((endpoint) => !before.includes(endpoint));
    if (!fresh || this.#current === undefined) return;
    // The peer has new addresses: all its direct ways are asked at once, from a relay or from an address that it left.
    const isLeft =
      this.#current.kind === 'direct' &&
      before.includes(this.#current.endpoint) &&
      !this.#published.includes(this.#current.endpoint);
    if (isLeft) this.#suspect = true;
    if (isLeft || this.#current.kind === 'relay') this.tryDirect(now);
  }

  /** Our own addresses or the peer's have changed: direct ways are asked at the next {@link tick}, and soon again. */
  tryDirect(now: Instant): void {
    if (this.#current === undefined) return;
    this.#tryDirectAt = now;
    this.#tryDirectMs = DIRECT_RETRY_FIRST_MS;
  }

  /** Relays to fall back on, the best first; what is over {@link RELAYS_MAX} is left out. */
  setRelays(relays: readonly PeerId[]): void {
    this.#relays = relays.slice(0, RELAYS_MAX);
  }

  /** Takes `path` into use; undefined when there is none any more. Undefined clears all challenges. */
  use(path: Path | undefined, now: Instant): void {
    this.#current = path;
    this.#suspect = false;
    this.#currentProvenAt = path === undefined ? undefined : now;
    this.#tryDirectAt = undefined;
    this.#heardFrom = undefined;
    if (path === undefined) {
      this.#challengeByKey.clear();
      return;
    }
    this.#challengeByKey.delete(pathKey(path));
    if (path.kind === 'direct') {
      this.#lastDirect = path.endpoint;
      this.#tryDirectMs = DIRECT_RETRY_FIRST_MS;
      if (!this.#published.includes(path.endpoint)) {
        this.#observed = [path.endpoint, ...this.#observed.filter((other) => other !== path.endpoint)];
        this.#observed.length = Math.min(this.#observed.length, OBSERVED_MAX);
      }
      return;
    }
    this.#tryDirectAt = after(now, this.#tryDirectMs);
  }

  /** The path in use leaves pings unanswered: another one that answers may take its place. */
  suspect(): void {
    this.#suspect = true;
  }

  /** The path in use carried an answer of the peer. */
  proven(now: Instant): void {
    this.#suspect = false;
    this.#currentProvenAt = now;
  }

  /**
   * Where to send the initiation in round `round` (from 0) of a handshake that began `elapsedMs` ago, in order of
   * time. The same message goes to all; the first that is answered wins. A rekey asks the path in use alone first.
   * A round may end before all were asked: those that are not among `asked` (see {@link pathKey}) come first.
   */
  attempt(
    round: number,
    elapsedMs: number,
    rekey: boolean,
    asked: ReadonlySet<string> = new Set(),
  ): { readonly path: Path; readonly delayMs: number }[] {
    if (rekey && round === 0 && this.#current !== undefined) return [{ path: this.#current, delayMs: 0 }];
    const plan: { path: Path; delayMs: number }[] = [];
    const candidates = this.candidates();
    const unasked = candidates.filter((endpoint) => !asked.has(endpoint));
    for (const endpoint of new Set([...unasked, ...candidates])) {
      plan.push({ path: { kind: 'direct', endpoint }, delayMs: plan.length * STAGGER_MS });
    }
    if (this.#relays.length > 0 && (plan.length === 0 || elapsedMs >= RELAY_AFTER_MS)) {
      const via = this.#relays[round % this.#relays.length]!;
      plan.push({ path: { kind: 'relay', via }, delayMs: 0 });
    }
    return plan;
  }

  /** A valid packet came from `from`, which is not the path in use: the challenges to send now, perhaps none. */
  moved(from: Path, now: Instant): Challenge[] {
    if (this.#current === undefined) this.#heardFrom = from;
    if (this.#current !== undefined && samePath(this.#current, from)) return [];
    if (from.kind === 'relay' && this.#current !== undefined && !this.#suspect) return [];
    if (this.#lastMoveAt !== undefined && now < after(this.#lastMoveAt, MOVE_INTERVAL_MS)) return [];
    this.#lastMoveAt = now;
    // The path in use first: at equal speed it answers first, and keeps the traffic. Where there is none, all the
    // peer's own ways go before one that it perhaps knows nothing of.
    const known = this.candidates().map((endpoint): Path => ({ kind: 'direct', endpoint }));
    const asked = this.#current === undefined ? [...known, from] : [this.#current, from];
    return asked.map((path) => this.#challenge(path, now)).filter((challenge) => challenge !== undefined);
  }

  /**
   * Something is to be sent and no way is in use: the challenges to send now. Those under way go out once more, for
   * all that were sent so far may be lost, and who asks is not the peer but what waits for it here.
   */
  seek(now: Instant): Challenge[] {
    if (this.#current !== undefined || this.#heardFrom === undefined) return [];
    for (const challenge of this.#challengeByKey.values())
      challenge.againAt ??= after(now, CHALLENGE_AGAIN_MS);
    return this.moved(this.#heardFrom, now);
  }

  /**
   * An answer to a challenge came. 'moved': the path it was sent along is the new {@link current}, and the caller sets
   * it. 'kept': right, but the path in use stays. 'stale': it answers nothing that is outstanding; nothing changed.
   */
  answered(token: Uint8Array, now: Instant): 'moved' | 'kept' | 'stale' {
    const challenge = [...this.#challengeByKey.values()].find((sent) => equalBytes(sent.token, token));
    if (challenge === undefined) return 'stale';
    const asked = challenge.path;
    this.#challengeByKey.delete(pathKey(asked));
    if (now > after(challenge.sentAt, CHALLENGE_LIFETIME_MS)) return 'stale';
    const current = this.#current;
    if (current !== undefined) {
      if (samePath(current, asked)) {
        this.proven(now);
        return 'kept';
      }
      const better = current.kind === 'relay' && asked.kind === 'direct';
      const currentAnswered =
        this.#currentProvenAt !== undefined && this.#currentProvenAt >= challenge.sentAt;
      if (!better && currentAnswered && !this.#suspect) return 'kept';
      if (current.kind === 'direct' && asked.kind === 'relay' && !this.#suspect) return 'kept';
    }
    this.use(asked, now);
    return 'moved';
  }

  /** Challenges that are due: while relayed, to every direct way. */
  tick(now: Instant): Challenge[] {
    const due: Challenge[] = [];
    for (const [key, challenge] of this.#challengeByKey) {
      if (now > after(challenge.sentAt, CHALLENGE_LIFETIME_MS)) this.#challengeByKey.delete(key);
      else if (challenge.againAt !== undefined && now >= challenge.againAt) {
        challenge.againAt = undefined;
        due.push({ path: challenge.path, token: challenge.token });
      }
    }
    if (this.#tryDirectAt === undefined || this.#tryDirectAt > now) return due;
    this.#tryDirectMs = Math.min(2 * this.#tryDirectMs, DIRECT_RETRY_MAX_MS);
    this.#tryDirectAt = this.#current?.kind === 'relay' ? after(now, this.#tryDirectMs) : undefined;
    for (const endpoint of this.candidates()) {
      const challenge = this.#challenge({ kind: 'direct', endpoint }, now);
      if (challenge !== undefined) due.push(challenge);
    }
    return due;
  }

  nextTimeout(): Instant | undefined {
    let next = this.#tryDirectAt;
    for (const { sentAt, againAt } of this.#challengeByKey.values()) {
      next = earliest(next, againAt, after(sentAt, CHALLENGE_LIFETIME_MS + 1));
    }
    return next;
  }

  #isKnown(endpoint: Endpoint): boolean {
    return this.#published.includes(endpoint) || this.#observed.includes(endpoint);
  }

  /** A new challenge; undefined while one is under way there (a new token would make its answer stale). */
  #challenge(path: Path, now: Instant): Challenge | undefined {
    const key = pathKey(path);
    const underWay = this.#challengeByKey.get(key);
    if (underWay !== undefined && now <= after(underWay.sentAt, CHALLENGE_LIFETIME_MS)) return undefined;
    if (underWay === undefined && this.#challengeByKey.size >= CHALLENGES_MAX) return undefined;
    const token = this.#random.bytes(CONTROL_TOKEN_LENGTH);
    this.#challengeByKey.set(key, { path, token, sentAt: now, againAt: after(now, CHALLENGE_AGAIN_MS) });
    return { path, token };
  }
}

/** An encrypted question to be sent along `path`. */
export interface Challenge {
  readonly path: Path;
  readonly token: Uint8Array;
}

interface OutstandingChallenge extends Challenge {
  readonly sentAt: Instant;
  /** When it goes out again: once, and more often only for {@link Paths.seek}. */
  againAt: Instant | undefined;
}

/** Whether the two lead the same way. */
export function samePath(a: Path, b: Path): boolean {
  if (a.kind === 'direct') return b.kind === 'direct' && a.endpoint === b.endpoint;
  return b.kind === 'relay' && a.via === b.via;
}

/** A text that is the same for equal paths only. */
export function pathKey(path: Path): string {
  return path.kind === 'direct' ? path.endpoint : `relay ${path.via}`;
}

/** Endpoints taken from one record. */
export const PUBLISHED_MAX = 16;
const OBSERVED_MAX = 2;
const RELAYS_MAX = 4;
/** Challenges that may be unanswered at once. */
export const CHALLENGES_MAX = PUBLISHED_MAX + OBSERVED_MAX + 2;
/** Between the initiations to one candidate and the next, like RFC 8305's connection attempt delay but shorter. */
const STAGGER_MS = 50;
/** How long direct ways are tried alone before a relay is asked as well. */
const RELAY_AFTER_MS = 1000;
const DIRECT_RETRY_FIRST_MS = 5000;
const DIRECT_RETRY_MAX_MS = 60_000;
export const CHALLENGE_LIFETIME_MS = 3000;
/** A challenge goes out again after this, in case the first is lost. */
const CHALLENGE_AGAIN_MS = 300;
/** At most one reaction to packets from elsewhere in this time. */
const MOVE_INTERVAL_MS = 250;

// A sender that makes us challenge an address has sent us at least an empty packet. We answer with two challenges, each
// padded to a whole block (more only for packets that wait here, see Paths.seek). RFC 9000 §8.1 allows three times as many bytes
// to an address that is not proven.
const CHALLENGE_PACKET_LENGTH =
  DATA_OVERHEAD -
  INNER_HEADER_LENGTH +
  Math.ceil((INNER_HEADER_LENGTH + TOKEN_MESSAGE_LENGTH) / PAD_TO) * PAD_TO;
assert(2 * CHALLENGE_PACKET_LENGTH <= 3 * DATA_OVERHEAD, 'challenges amplify less than three-fold');

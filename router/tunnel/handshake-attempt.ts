import { after, earliest, type Instant } from '../../base/instant.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import type { Path } from '../datapath/datapath.ts';
import { type Paths, pathKey } from './paths.ts';

/**
 * One attempt to reach a peer: when the initiation goes out and along which paths, until an answer ends it or
 * {@link GIVE_UP_AFTER_MS} is over. Rounds follow each other after 250 ms, doubling to 5 s, with jitter so that
 * two ends or many peers do not keep step; in a round the same bytes go to all candidates, a little apart.
 */
export class HandshakeAttempt {
  readonly startedAt: Instant;
  readonly #rekey: boolean;
  readonly #random: RandomSource;
  #round = 0;
  #postponed = false;
  #nextRoundAt: Instant;
  #queue: { readonly path: Path; readonly at: Instant }[] = [];
  /** Keys of the paths asked so far; bounded by what {@link Paths} may offer. */
  readonly #asked = new Set<string>();

  /** `rekey`: a session is in use, so its path is asked alone at first. */
  constructor(options: { readonly now: Instant; readonly rekey: boolean; readonly random: RandomSource }) {
    this.startedAt = options.now;
    this.#nextRoundAt = options.now;
    this.#rekey = options.rekey;
    this.#random = options.random;
  }

  /** The paths along which to send the initiation now, or that it is time to give up. */
  tick(paths: Paths, now: Instant): readonly Path[] | 'gaveUp' {
    if (now >= after(this.startedAt, GIVE_UP_AFTER_MS)) return 'gaveUp';
    if (now >= this.#nextRoundAt) {
      const plan = paths.attempt(this.#round, now - this.startedAt, this.#rekey, this.#asked);
      this.#queue = plan.map(({ path, delayMs }) => ({ path, at: after(now, delayMs) }));
      this.#nextRoundAt = after(now, this.#roundMs());
      this.#round++;
    }
    const due = this.#queue.filter(({ at }) => at <= now).map(({ path }) => path);
    if (due.length > 0) this.#queue = this.#queue.filter(({ at }) => at > now);
    for (const path of due) this.noteAsked(path);
    return due;
  }

  /** The initiation goes out along `path`. */
  noteAsked(path: Path): void {
    if (this.#asked.size < ASKED_MAX) this.#asked.add(pathKey(path));
  }

  /**
   * Whether an answer from `path` proves it. From a relay, if we asked there. From an endpoint, only if we asked
   * nowhere else: the initiation is the same everywhere, so a peer that got it at one address could answer with
   * another as the source, and have what we send to it go to somebody else.
   */
  provenBy(path: Path): boolean {
    return this.#asked.has(pathKey(path)) && (path.kind === 'relay' || this.#asked.size === 1);
  }

  /** There are new ways to try: the next round begins now. */
  hurry(now: Instant): void {
    this.#nextRoundAt = now;
  }

  /**
   * The other end is busy with a handshake of its own: leave it `ms` to finish. Once in an attempt: what looks like a
   * handshake of the other end may be a recording, and more of those may follow.
   */
  postpone(ms: number, now: Instant): void {
    if (this.#postponed) return;
    this.#postponed = true;
    this.#queue = [];
    if (this.#nextRoundAt < after(now, ms)) this.#nextRoundAt = after(now, ms);
  }

  nextTimeout(): Instant | undefined {
    return earliest(
      this.#nextRoundAt,
      after(this.startedAt, GIVE_UP_AFTER_MS),
      ...this.#queue.map(({ at }) => at),
    );
  }

  #roundMs(): number {
    const base = Math.min(RETRY_FIRST_MS * 2 ** this.#round, RETRY_MAX_MS);
    return base * (1 - RETRY_JITTER / 2 + RETRY_JITTER * randomUnit(this.#random));
  }
}

/** WireGuard §6.1, REKEY_ATTEMPT_TIME. */
const GIVE_UP_AFTER_MS = 90_000;
/** WireGuard waits 5 s, which is too long for a pod that has just started. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5000;
/** Share of a retry time that is random. */
const RETRY_JITTER = 0.3;
const ASKED_MAX = 32;

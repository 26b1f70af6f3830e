import { after, type Instant } from '../../base/instant.ts';

/** Independent accusers, beyond the first, that bring the timeout down to its minimum. */
const CONFIRMATIONS = 3;
/** Minimum timeout: this × max(1, log10 n) probe intervals. */
const MINIMUM_PROBE_INTERVALS = 3;
/** Maximum timeout: this × the minimum. */
const MAXIMUM_FACTOR = 4;

/**
 * One suspicion of one member: who accuses it, and until when it may refute. SWIM §4.2 with the timeout of Lifeguard
 * §IV-B: from its maximum it comes down to its minimum as independent accusers confirm. So a node that is slow itself
 * and accuses alone has to wait longer than several that agree.
 */
export class Suspicion {
  readonly #startedAt: Instant;
  readonly #members: number;
  readonly #probeIntervalMs: number;
  /** At most {@link CONFIRMATIONS} + 1, the first of them first. */
  readonly #accusers: Set<string>;

  constructor(options: {
    /** Who accuses first (model/rumour.ts, accuserOf). */
    readonly accuser: string;
    /** Size of the cluster at `now`, this node included. */
    readonly members: number;
    readonly probeIntervalMs: number;
    readonly now: Instant;
  }) {
    this.#startedAt = options.now;
    this.#members = options.members;
    this.#probeIntervalMs = options.probeIntervalMs;
    this.#accusers = new Set([options.accuser]);
  }

  get firstAccuser(): string {
    return this.#accusers.values().next().value!;
  }

  /** Whether `accuser` is one more than those known, which is news; once there are enough, nobody is. */
  confirm(accuser: string): boolean {
    if (this.#accusers.size > CONFIRMATIONS || this.#accusers.has(accuser)) return false;
    this.#accusers.add(accuser);
    return true;
  }

  /** When the member counts as dead, should nobody else accuse it. */
  get deadline(): Instant {
    const min = MINIMUM_PROBE_INTERVALS * Math.max(1, Math.log10(this.#members)) * this.#probeIntervalMs;
    // In a cluster too small for that many accusers nobody could confirm, so nobody is waited for.
    if (this.#members - 2 < CONFIRMATIONS) return after(this.#startedAt, min);
    const max = MAXIMUM_FACTOR * min;
    const share = Math.log(this.#accusers.size) / Math.log(CONFIRMATIONS + 1);
    return after(this.#startedAt, Math.max(min, max - (max - min) * share));
  }
}

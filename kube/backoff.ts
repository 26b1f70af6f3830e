import { type RandomSource, randomUnit } from '../base/random.ts';

/** How long to wait after a failure, in milliseconds. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** For requests to the API server. */
const API_BACKOFF: BackoffLimits = { firstMs: 500, mostMs: 30_000 };

/**
 * Waits that double with each failure, each drawn at random between half of that and all of it: an API server that
 * comes back after an outage is not met by all nodes at once.
 */
export class Backoff {
  readonly #random: RandomSource;
  readonly #limits: BackoffLimits;
  #failures = 0;

  constructor(random: RandomSource, limits: BackoffLimits = API_BACKOFF) {
    this.#random = random;
    this.#limits = limits;
  }

  /** The wait after one failure more; at least `leastMs` where the server asked for that. */
  next(leastMs = 0): number {
    const { firstMs, mostMs } = this.#limits;
    const most = Math.min(firstMs * 2 ** Math.min(this.#failures, 20), mostMs);
    this.#failures++;
    return Math.max(leastMs, (most / 2) * (1 + randomUnit(this.#random)));
  }

  /** It worked: the next failure is a first one again. */
  reset(): void {
    this.#failures = 0;
  }
}

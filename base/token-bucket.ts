import type { Instant } from './instant.ts';

/** A rate limit: `burst` at once, refilled by `perSecond`. Starts full. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #at: Instant | undefined;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
  }

  /** Takes a token if there is one. */
  take(now: Instant): boolean {
    if (!this.has(now)) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whether {@link take} would succeed. */
  has(now: Instant): boolean {
    const elapsedMs = Math.max(0, now - (this.#at ?? now));
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs * this.#perSecond) / 1000);
    this.#at = Math.max(now, this.#at ?? now) as Instant;
    return this.#tokens >= 1;
  }
}

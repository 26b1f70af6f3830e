import type { Endpoint } from '../base/endpoint.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { DialFailure } from '../router/link/dial-failure.ts';

/** What came of the last dial to a place where peers are sought. */
export type Reach =
  | { readonly kind: 'met'; readonly peer: PeerId; readonly since: Instant }
  /** `since`: from when on it failed for this reason each time. */
  | { readonly kind: 'failed'; readonly failure: DialFailure; readonly since: Instant };

/** What came of the dials to the seeds. Of other dials nothing is kept, so there are never more entries than seeds. */
export class SeedReach {
  readonly #reachBySeed = new Map<Endpoint, Reach | undefined>();

  /** These are the seeds now. What is known of those that stay is kept. */
  setSeeds(seeds: readonly Endpoint[]): void {
    const known = new Map(this.#reachBySeed);
    this.#reachBySeed.clear();
    for (const seed of seeds) this.#reachBySeed.set(seed, known.get(seed));
  }

  /** A link to `peer` was opened there. */
  met(endpoint: Endpoint, peer: PeerId, now: Instant): void {
    if (this.#reachBySeed.has(endpoint)) this.#reachBySeed.set(endpoint, { kind: 'met', peer, since: now });
  }

  failed(endpoint: Endpoint, failure: DialFailure, now: Instant): void {
    if (!this.#reachBySeed.has(endpoint)) return;
    const before = this.#reachBySeed.get(endpoint);
    const same = before?.kind === 'failed' && before.failure === failure;
    this.#reachBySeed.set(endpoint, { kind: 'failed', failure, since: same ? before.since : now });
  }

  /** Undefined for what is no seed, or was not dialled yet. */
  of(endpoint: Endpoint): Reach | undefined {
    return this.#reachBySeed.get(endpoint);
  }
}

import type { Endpoint } from '../../base/endpoint.ts';
import type { PeerId } from '../../base/peer-id.ts';

/** Seed endpoints; the first so many are taken. */
const MAX_SEEDS = 64;

/** Where we were told to look for peers, and whom we met there. */
export class Seeds {
  #endpoints: readonly Endpoint[] = [];
  readonly #peerByEndpoint = new Map<Endpoint, PeerId>();

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Replaces all. Returns those that are new. */
  replace(endpoints: readonly Endpoint[]): Endpoint[] {
    const next = [...new Set(endpoints)].slice(0, MAX_SEEDS);
    const added = next.filter((endpoint) => !this.#endpoints.includes(endpoint));
    this.#endpoints = next;
    for (const endpoint of this.#peerByEndpoint.keys())
      if (!next.includes(endpoint)) this.#peerByEndpoint.delete(endpoint);
    return added;
  }

  /** A dial to `endpoint` met `peer`. */
  met(endpoint: Endpoint, peer: PeerId): void {
    if (this.#endpoints.includes(endpoint)) this.#peerByEndpoint.set(endpoint, peer);
  }

  /** Whom a dial to `endpoint` met last. */
  peerAt(endpoint: Endpoint): PeerId | undefined {
    return this.#peerByEndpoint.get(endpoint);
  }
}

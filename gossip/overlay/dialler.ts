import type { Endpoint } from '../../base/endpoint.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import type { GossipConfig } from '../model/gossip-config.ts';

/** Own endpoints remembered; addresses a host has, and NATs before it. */
const MAX_OWN_ENDPOINTS = 64;
/** A link that lived so long makes up for the failures before it. */
const SETTLED_AFTER_MS = 5_000;

/**
 * Which endpoints may be dialled now: exponential backoff with jitter for each, a bound on dials in flight, and
 * never again an endpoint behind which we met ourselves.
 */
export class Dialler {
  readonly #config: GossipConfig;
  readonly #random: RandomSource;
  /** Pruned by its owner to seeds and the endpoints in records, which are bounded. */
  readonly #attemptByEndpoint = new Map<Endpoint, Attempt>();
  readonly #pending = new Map<Endpoint, { readonly until: Instant; readonly expected: PeerId | undefined }>();
  readonly #own = new Set<Endpoint>();

  constructor(config: GossipConfig, random: RandomSource) {
    this.#config = config;
    this.#random = random;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Endpoints with a history of failures. */
  get rememberedCount(): number {
    return this.#attemptByEndpoint.size;
  }

  isDialling(peer: PeerId): boolean {
    for (const { expected } of this.#pending.values()) if (expected === peer) return true;
    return false;
  }

  canDial(endpoint: Endpoint, now: Instant): boolean {
    if (this.#own.has(endpoint) || this.#pending.has(endpoint)) return false;
    if (this.#pending.size >= this.#config.maxConcurrentDials) return false;
    return (this.#attemptByEndpoint.get(endpoint)?.notBefore ?? now) <= now;
  }

  /** When it may be dialled again after it failed; undefined where nothing holds that back. */
  notBefore(endpoint: Endpoint): Instant | undefined {
    return this.#attemptByEndpoint.get(endpoint)?.notBefore;
  }

  /** The dialable endpoint with the fewest failures; the first of equals. */
  best(endpoints: readonly Endpoint[], now: Instant): Endpoint | undefined {
    let best: Endpoint | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const endpoint of endpoints) {
      const failures = this.#attemptByEndpoint.get(endpoint)?.failures ?? 0;
      if (failures < fewest && this.canDial(endpoint, now)) {
        best = endpoint;
        fewest = failures;
      }
    }
    return best;
  }

  started(endpoint: Endpoint, expected: PeerId | undefined, now: Instant): void {
    this.#pending.set(endpoint, { until: after(now, this.#config.dialTimeoutMs), expected });
  }

  /** The dial led to a link. Answers the peer that was expected there. */
  opened(endpoint: Endpoint): PeerId | undefined {
    const expected = this.#pending.get(endpoint)?.expected;
    this.#pending.delete(endpoint);
    return expected;
  }

  /**
   * The dial failed, or its link was of no use. `maxBackoffMs`: at most this until the next attempt, so that a small
   * cluster heals at once while a large one does not storm (see Overlay).
   */
  failed(endpoint: Endpoint, maxBackoffMs: number, now: Instant): void {
    this.#pending.delete(endpoint);
    const failures = Math.min((this.#attemptByEndpoint.get(endpoint)?.failures ?? 0) + 1, 32);
    const { dialBackoffMinMs, dialBackoffMaxMs } = this.#config;
    const backoffMs = Math.min(dialBackoffMinMs * 2 ** (failures - 1), dialBackoffMaxMs, maxBackoffMs);
    const jitter = 0.75 + 0.5 * randomUnit(this.#random);
    this.#attemptByEndpoint.set(endpoint, { failures, notBefore: after(now, backoffMs * jitter) });
  }

  /** A link that we had dialled is gone: one that lived long wipes the slate, a short one counts as a failure. */
  lost(endpoint: Endpoint, livedMs: number, maxBackoffMs: number, now: Instant): void {
    if (livedMs >= SETTLED_AFTER_MS) this.#attemptByEndpoint.delete(endpoint);
    this.failed(endpoint, maxBackoffMs, now);
  }

  /** The peer behind these endpoints is known to live: try at once. */
  retryNow(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.#attemptByEndpoint.delete(endpoint);
  }

  /** We met ourselves there. */
  markOwn(endpoint: Endpoint): void {
    this.#pending.delete(endpoint);
    this.#attemptByEndpoint.delete(endpoint);
    if (this.#own.size < MAX_OWN_ENDPOINTS) this.#own.add(endpoint);
  }

  isOwn(endpoint: Endpoint): boolean {
    return this.#own.has(endpoint);
  }

  /** Dials that the shell never answered count as failed. */
  expire(maxBackoffMs: number, now: Instant): void {
    for (const [endpoint, { until }] of this.#pending)
      if (until <= now) this.failed(endpoint, maxBackoffMs, now);
  }

  /** Forgets the history of endpoints that nobody names any more. */
  prune(isNamed: (endpoint: Endpoint) => boolean): void {
    for (const endpoint of this.#attemptByEndpoint.keys()) {
      if (!isNamed(endpoint)) this.#attemptByEndpoint.delete(endpoint);
    }
  }
}

interface Attempt {
  readonly failures: number;
  readonly notBefore: Instant;
}

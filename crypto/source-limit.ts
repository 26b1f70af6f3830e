import { formatAddress, parseAddress } from '../base/address.ts';
import { type Endpoint, endpointHost } from '../base/endpoint.ts';
import type { Instant } from '../base/instant.ts';
import { TokenBucket } from '../base/token-bucket.ts';

/** Handshakes a second that one source may ask for in the long run. */
export const SOURCE_RATE_PER_SECOND = 20;
/** Handshakes that one source may ask for at once. */
export const SOURCE_BURST = 5;
/** Sources remembered at a time. Beyond that, new ones are refused until an old one has been quiet. */
export const SOURCES_MAX = 4096;

/** After this long without a packet a bucket is full, so that forgetting it changes nothing. */
const FULL_AFTER_MS = (SOURCE_BURST * 1000) / SOURCE_RATE_PER_SECOND;

interface Source {
  readonly bucket: TokenBucket;
  usedAt: Instant;
}

/**
 * A token bucket for each source, in bounded memory. Buckets lie in the order of their last use, so the one at
 * the front is full if any is, and making room takes no search. Meant to stand behind the cookie: a source that
 * passed it is no invented address, so nobody can fill the table with names of others.
 */
export class SourceLimit {
  readonly #sources = new Map<string, Source>();

  /** Sources remembered just now; at most {@link SOURCES_MAX}. */
  get size(): number {
    return this.#sources.size;
  }

  /** Whether `source` (see {@link sourceOf}) may do one more thing; takes a token if so. */
  allow(source: string, now: Instant): boolean {
    let known = this.#sources.get(source);
    if (known === undefined) {
      if (!this.#makeRoom(now)) return false;
      known = { bucket: new TokenBucket(SOURCE_BURST, SOURCE_RATE_PER_SECOND), usedAt: now };
    }
    known.usedAt = now;
    this.#sources.delete(source);
    this.#sources.set(source, known);
    return known.bucket.take(now);
  }

  /** Forgets quiet sources at the front. False where the table stays full. */
  #makeRoom(now: Instant): boolean {
    for (const [source, { usedAt }] of this.#sources) {
      if (now - usedAt < FULL_AFTER_MS) break;
      this.#sources.delete(source);
    }
    return this.#sources.size < SOURCES_MAX;
  }
}

/**
 * Whom a packet from `endpoint` counts against: an IPv4 address (also one mapped into IPv6, as dual-stack sockets
 * report it), or a whole IPv6 /64, which is what a single host is commonly given. Ports do not count.
 */
export function sourceOf(endpoint: Endpoint): string {
  const host = endpointHost(endpoint);
  const address = parseAddress(host);
  if (address === undefined || address.family === 4) return host;
  if (address.value >> 32n === 0xffffn) {
    return formatAddress({ family: 4, value: address.value & 0xffffffffn });
  }
  return `${(address.value >> 64n).toString(16)}/64`;
}

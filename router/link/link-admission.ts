import type { Instant } from '../../base/instant.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { SourceLimit } from '../../crypto/source-limit.ts';

/** A connection that somebody made to us and whose handshake is under way. */
interface HalfOpen {
  /** Whom it counts against (crypto/source-limit.ts). */
  readonly source: string;
  /** Whether a known peer lived there when it came. */
  readonly known: boolean;
  /** A first message that takes the cluster's secret came. */
  readonly greeted: boolean;
}

/**
 * Who of those that connect to us gets in: how many may be in the middle of their handshake, and which handshakes are
 * worth their Diffie-Hellman.
 *
 * *Places.* Connections whose handshake is under way are limited ({@link MAX_UNPROVEN}). One more pushes out the oldest
 * that has not shown the cluster's secret yet, so that whoever is in earnest gets through: behind a host's address are
 * its pods as well, and their silence must not lock out the host.
 *
 * *Handshakes.* Only somebody with the cluster's secret can form a first message, so what floods us is recordings, sent again. TCP
 * has no cookie and needs none, for the address is proven; what it lacks is a limit:
 *
 *  1. A first message that was answered before is not answered again. An honest initiator never repeats one, for it
 *     carries a fresh ephemeral key. The latest {@link SEEN_MAX} are remembered, so that a flood takes as many
 *     recordings as there were handshakes, and costs a hash each.
 *  2. Each source (an IPv4 address, an IPv6 /64) has 20 a second and 5 at once.
 *  3. All sources together have a share, and those at which peers live another one: strangers use up only their own,
 *     and the peers that we know get in under any attack.
 */
export class LinkAdmission {
  readonly #isKnown: (source: string) => boolean;
  readonly #limit = new SourceLimit();
  readonly #strangers = new TokenBucket(HANDSHAKE_BURST, HANDSHAKES_PER_SECOND);
  readonly #known = new TokenBucket(HANDSHAKE_BURST, HANDSHAKES_PER_SECOND);
  /** Ephemeral keys, the oldest first. */
  readonly #seen = new Set<string>();

  /** `isKnown`: whether a peer's record names an address of this source (crypto/source-limit.ts). */
  constructor(options: { readonly isKnown: (source: string) => boolean }) {
    this.#isKnown = options.isKnown;
  }

  /** First messages remembered just now; at most {@link SEEN_MAX}. */
  get seen(): number {
    return this.#seen.size;
  }

  isKnown(source: string): boolean {
    return this.#isKnown(source);
  }

  /** Which of `halfOpen` (in the order in which they came) makes room for another one from `source`; none where there is room. */
  pushedOutBy<Connection extends HalfOpen>(
    source: string,
    halfOpen: readonly Connection[],
  ): Connection | undefined {
    const same = halfOpen.filter((other) => other.source === source);
    if (same.length >= MAX_UNPROVEN_FROM_ONE) return leastInEarnest(same);
    // Places are kept for peers that are known: strangers push out strangers.
    const known = this.#isKnown(source);
    const alike = halfOpen.filter((other) => other.known === known);
    return alike.length >= MAX_UNPROVEN ? leastInEarnest(alike) : undefined;
  }

  /** Judges a first message that the cluster's secret opened, by its ephemeral key. */
  judge(source: string, ephemeral: Uint8Array, now: Instant): 'admit' | 'replayed' | 'limited' {
    const key = String.fromCharCode(...ephemeral);
    if (this.#seen.has(key)) return 'replayed';
    const share = this.#isKnown(source) ? this.#known : this.#strangers;
    if (!share.has(now) || !this.#limit.allow(source, now)) return 'limited';
    share.take(now);
    if (this.#seen.size >= SEEN_MAX) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.add(key);
    return 'admit';
  }
}

function leastInEarnest<Connection extends HalfOpen>(crowd: readonly Connection[]): Connection {
  return crowd.find((each) => !each.greeted) ?? crowd[0]!;
}

/** Handshakes under way at once of strangers in all, and as many of sources where a known peer lives. */
export const MAX_UNPROVEN = 64;
/** Of these from one host or IPv6 /64. */
export const MAX_UNPROVEN_FROM_ONE = 8;
/** First messages that are remembered, 32 bytes each: less than half a megabyte in all. */
export const SEEN_MAX = 4096;
/** Handshakes answered of strangers, and as many of known sources: about 5 % of a core each in Diffie-Hellman. */
export const HANDSHAKES_PER_SECOND = 100;
/** For a cluster that starts all at once. */
export const HANDSHAKE_BURST = 200;

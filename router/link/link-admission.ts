import type { Instant } from '../../base/instant.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { SourceLimit } from '../../crypto/source-limit.ts';

/**
 * Which handshakes of those who connect to us are worth their Diffie-Hellman.
 *
 * Only somebody with the cluster's secret can form a first message, so what floods us is recordings, sent again. TCP
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

/** First messages that are remembered, 32 bytes each: less than half a megabyte in all. */
export const SEEN_MAX = 4096;
/** Handshakes answered of strangers, and as many of known sources: about 5 % of a core each in Diffie-Hellman. */
export const HANDSHAKES_PER_SECOND = 100;
/** For a cluster that starts all at once. */
export const HANDSHAKE_BURST = 200;

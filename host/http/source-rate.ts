import type { Instant } from '../../base/instant.ts';
import { TokenBucket } from '../../base/token-bucket.ts';

/** Sources that are remembered. Where there are more, the one that came first is forgotten, and has a full bucket again. */
const MAX_SOURCES = 256;

/** How often each source may ask: `burst` times at once, and `perSecond` in the long run. In bounded memory. */
export class SourceRate {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #bucketBySource = new Map<string, TokenBucket>();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
  }

  /** Whether `source` (connection-source.ts) may ask once more; counts it if so. */
  allow(source: string, now: Instant): boolean {
    let bucket = this.#bucketBySource.get(source);
    if (bucket === undefined) {
      const [first] = this.#bucketBySource.keys();
      if (first !== undefined && this.#bucketBySource.size >= MAX_SOURCES) this.#bucketBySource.delete(first);
      bucket = new TokenBucket(this.#burst, this.#perSecond);
      this.#bucketBySource.set(source, bucket);
    }
    return bucket.take(now);
  }
}

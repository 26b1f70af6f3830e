/** Buckets of a set. A power of two, so that a bucket is a few bits of a hash. */
const BUCKETS = 128;

/**
 * A set of texts that never changes: {@link with} makes another one, which shares all but a few buckets with it. So a set
 * of ten thousand elements is copied, and two of its versions are compared, at the price of what differs.
 */
export class ElementSet {
  static readonly EMPTY = new ElementSet(
    new Array<ReadonlySet<string> | undefined>(BUCKETS).fill(undefined),
    0,
  );

  readonly #buckets: readonly (ReadonlySet<string> | undefined)[];
  readonly size: number;

  private constructor(buckets: readonly (ReadonlySet<string> | undefined)[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  static of(elements: Iterable<string>): ElementSet {
    return ElementSet.EMPTY.with(elements, []);
  }

  has(element: string): boolean {
    return this.#buckets[bucketOf(element)]?.has(element) ?? false;
  }

  /** The set with `added` in it and `removed` not; what comes in both is in it. The same set where nothing differs. */
  with(added: Iterable<string>, removed: Iterable<string>): ElementSet {
    const changed = new Map<number, Set<string>>();
    let { size } = this;
    const bucketFor = (element: string): Set<string> => {
      const i = bucketOf(element);
      const bucket = changed.get(i) ?? new Set(this.#buckets[i]);
      changed.set(i, bucket);
      return bucket;
    };
    for (const element of removed) if (this.has(element) && bucketFor(element).delete(element)) size--;
    for (const element of added) {
      if (this.has(element) && !changed.has(bucketOf(element))) continue;
      const bucket = bucketFor(element);
      if (bucket.has(element)) continue;
      bucket.add(element);
      size++;
    }
    if (changed.size === 0) return this;
    const buckets = [...this.#buckets];
    for (const [i, bucket] of changed) buckets[i] = bucket.size > 0 ? bucket : undefined;
    return new ElementSet(buckets, size);
  }

  /** What this set has more than `before`, and what less. */
  since(before: ElementSet): { readonly added: string[]; readonly removed: string[] } {
    const added: string[] = [];
    const removed: string[] = [];
    for (let i = 0; i < BUCKETS; i++) {
      const now = this.#buckets[i];
      const then = before.#buckets[i];
      if (now === then) continue;
      for (const element of now ?? []) if (!then?.has(element)) added.push(element);
      for (const element of then ?? []) if (!now?.has(element)) removed.push(element);
    }
    return { added, removed };
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket;
  }
}

/** FNV-1a of 32 bits, folded. Elements of one bucket are only slower to compare, so nobody gains by choosing them. */
function bucketOf(element: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < element.length; i++) hash = Math.imul(hash ^ element.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}

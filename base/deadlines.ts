import { BinaryHeap } from './binary-heap.ts';
import type { Instant } from './instant.ts';

/**
 * Which of many keys is due next: one deadline a key, the earliest first.
 *
 * A binary heap with lazy deletion: a change of deadline pushes a fresh entry and leaves the old one to be
 * skipped when it surfaces. Stale entries are bounded: the heap is rebuilt when they outnumber the live ones.
 */
export class Deadlines<Key> {
  readonly #atByKey = new Map<Key, Instant>();
  readonly #heap = new BinaryHeap<{ readonly at: Instant; readonly key: Key }>((a, b) => a.at < b.at);

  get size(): number {
    return this.#atByKey.size;
  }

  /** Sets or moves the deadline of `key`; undefined removes it. */
  set(key: Key, at: Instant | undefined): void {
    if (this.#atByKey.get(key) === at) return;
    if (at === undefined) {
      this.#atByKey.delete(key);
      return;
    }
    this.#atByKey.set(key, at);
    this.#heap.push({ at, key });
    if (this.#heap.size > 2 * this.#atByKey.size + SLACK) this.#rebuild();
  }

  /** The earliest deadline. */
  next(): Instant | undefined {
    this.#skipStale();
    return this.#heap.first?.at;
  }

  /** Takes the earliest key whose deadline is not after `now`, and removes its deadline. */
  takeDue(now: Instant): Key | undefined {
    this.#skipStale();
    const first = this.#heap.first;
    if (first === undefined || first.at > now) return undefined;
    this.#heap.takeFirst();
    this.#atByKey.delete(first.key);
    return first.key;
  }

  #skipStale(): void {
    for (let first = this.#heap.first; first !== undefined; first = this.#heap.first) {
      if (this.#atByKey.get(first.key) === first.at) return;
      this.#heap.takeFirst();
    }
  }

  #rebuild(): void {
    this.#heap.clear();
    for (const [key, at] of this.#atByKey) this.#heap.push({ at, key });
  }
}

/** Stale entries that are not worth a rebuild. */
const SLACK = 64;

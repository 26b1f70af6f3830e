import type { Instant } from './instant.ts';

/**
 * Which of many keys is due next: one deadline a key, the earliest first.
 *
 * A binary heap with lazy deletion: a change of deadline pushes a fresh entry and leaves the old one to be
 * skipped when it surfaces. Stale entries are bounded: the heap is rebuilt when they outnumber the live ones.
 */
export class Deadlines<Key> {
  readonly #atByKey = new Map<Key, Instant>();
  #heap: { readonly at: Instant; readonly key: Key }[] = [];

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
    this.#push({ at, key });
    if (this.#heap.length > 2 * this.#atByKey.size + SLACK) this.#rebuild();
  }

  /** The earliest deadline. */
  next(): Instant | undefined {
    this.#skipStale();
    return this.#heap[0]?.at;
  }

  /** Takes the earliest key whose deadline is not after `now`; its deadline is thereby cleared. */
  takeDue(now: Instant): Key | undefined {
    this.#skipStale();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#pop();
    this.#atByKey.delete(first.key);
    return first.key;
  }

  #skipStale(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#atByKey.get(first.key) === first.at) return;
      this.#pop();
    }
  }

  #rebuild(): void {
    this.#heap = [...this.#atByKey].map(([key, at]) => ({ at, key })).sort((a, b) => a.at - b.at);
  }

  #push(entry: { readonly at: Instant; readonly key: Key }): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= entry.at) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

/** Stale entries that are not worth a rebuild. */
const SLACK = 64;

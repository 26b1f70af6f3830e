import { type Instant, instant } from '../../base/instant.ts';

interface Event {
  readonly at: Instant;
  readonly order: number;
  readonly act: () => void;
}

/**
 * Virtual time: what is to happen when. Events of one instant happen in the order in which they were scheduled, so a
 * run depends on nothing but what was put in.
 */
export class EventQueue {
  /** A binary heap, the earliest first. */
  readonly #heap: Event[] = [];
  #now = instant(0);
  #order = 0;
  /** Events that have happened. */
  count = 0;

  get now(): Instant {
    return this.#now;
  }

  /** Has `act` happen at `at`; at once, after what is already due, where that is past. */
  at(at: number, act: () => void): void {
    const event = { at: instant(Math.max(at, this.#now)), order: this.#order++, act };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  /** Has `act` happen in `ms`. */
  in(ms: number, act: () => void): void {
    this.at(this.#now + ms, act);
  }

  /** Lets `ms` pass, and all that is due in them happen. */
  run(ms: number): void {
    const end = instant(this.#now + ms);
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#takeFirst();
      this.#now = next.at;
      this.count++;
      next.act();
    }
    this.#now = end;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

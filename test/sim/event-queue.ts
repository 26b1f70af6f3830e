import { BinaryHeap } from '../../base/binary-heap.ts';
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
  readonly #heap = new BinaryHeap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  #now = instant(0);
  #order = 0;
  /** Events that have happened. */
  count = 0;

  get now(): Instant {
    return this.#now;
  }

  /** Has `act` happen at `at`; at once, after what is already due, where that is past. */
  at(at: number, act: () => void): void {
    this.#heap.push({ at: instant(Math.max(at, this.#now)), order: this.#order++, act });
  }

  /** Has `act` happen in `ms`. */
  in(ms: number, act: () => void): void {
    this.at(this.#now + ms, act);
  }

  /** Lets `ms` pass, and all that is due in them happen. */
  run(ms: number): void {
    const end = instant(this.#now + ms);
    for (let next = this.#heap.first; next !== undefined && next.at <= end; next = this.#heap.first) {
      this.#heap.takeFirst();
      this.#now = next.at;
      this.count++;
      next.act();
    }
    this.#now = end;
  }
}

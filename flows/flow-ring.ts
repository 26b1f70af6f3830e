import type { FlowRecord } from './flow.ts';

/** Records that are kept for readers. */
const MAX_RECORDS = 16_384;

/** What a reader gets from where it was. */
interface RingSlice {
  readonly records: readonly FlowRecord[];
  /** Where it goes on. */
  readonly next: number;
  /** Records that fell out of the ring before it came. */
  readonly lost: number;
}

/**
 * The last records, numbered from 0. Readers go through it at their own pace and leave no trace in it: whoever is slower than
 * the ring turns is told how many records it lost.
 */
export class FlowRing {
  readonly #records: (FlowRecord | undefined)[];
  #next = 0;
  /** Before it nothing is kept. */
  #floor = 0;

  constructor(capacity = MAX_RECORDS) {
    this.#records = new Array<FlowRecord | undefined>(capacity).fill(undefined);
  }

  /** The number that the next record will have. */
  get next(): number {
    return this.#next;
  }

  push(record: FlowRecord): void {
    this.#records[this.#next++ % this.#records.length] = record;
  }

  /** At most `limit` records from number `from` on. A number that was never given counts as the next one. */
  read(from: number, limit: number): RingSlice {
    const wanted = Math.min(from, this.#next);
    const first = Math.max(wanted, this.#floor, this.#next - this.#records.length);
    const end = Math.min(this.#next, first + limit);
    const records: FlowRecord[] = [];
    for (let number = first; number < end; number++)
      records.push(this.#records[number % this.#records.length]!);
    return { records, next: end, lost: first - wanted };
  }

  /** Forgets all records; numbers go on. */
  clear(): void {
    this.#records.fill(undefined);
    this.#floor = this.#next;
  }
}

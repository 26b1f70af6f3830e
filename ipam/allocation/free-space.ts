import type { Range } from '../../base/range.ts';

/** Addresses from `start` up to but not including `end`. */
export interface Interval {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * The free addresses of one family that this node owns, as sorted disjoint intervals. Handed out next-fit with wrap:
 * each search starts behind the address that was handed out last, so a freed address is used again as late as
 * possible. Operations take O(log n) comparisons and one memmove.
 */
export class FreeSpace {
  #free: Interval[] = [];
  #owned = 0n;
  #cursor = 0n;
  readonly #reserved: readonly bigint[];

  /** `reserved`: addresses that are never handed out (but may be granted away in a block). */
  constructor(reserved: readonly bigint[], cursor: bigint) {
    this.#reserved = reserved;
    this.#cursor = cursor;
  }

  /** Where the next search starts. */
  get cursor(): bigint {
    return this.#cursor;
  }

  /** Sorted, disjoint and not touching each other; reserved addresses included. */
  get intervals(): readonly Interval[] {
    return this.#free;
  }

  /** Addresses owned, reserved ones included. */
  get owned(): bigint {
    return this.#owned;
  }

  /** Addresses that can be handed out. */
  get count(): bigint {
    let count = 0n;
    for (const { start, end } of this.#free) count += end - start;
    for (const value of this.#reserved) if (this.has(value)) count--;
    return count;
  }

  has(value: bigint): boolean {
    const interval = this.#free[this.#indexAt(value)];
    return interval !== undefined && value < interval.end;
  }

  /** Starts anew from what is owned, sorted and disjoint, without the `used` addresses, in any order. */
  rebuild(owned: readonly Range[], used: Iterable<bigint>): void {
    const taken = [...used].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.#free = [];
    this.#owned = 0n;
    let next = 0;
    for (const range of owned) {
      this.#owned += range.end - range.start;
      let at = range.start;
      while (next < taken.length && taken[next]! < range.start) next++;
      for (; next < taken.length && taken[next]! < range.end; next++) {
        this.#append(at, taken[next]!);
        at = taken[next]! + 1n;
      }
      this.#append(at, range.end);
    }
  }

  /** Hands out an address; undefined where none is free. */
  takeNext(): bigint | undefined {
    const value = this.#find(this.#cursor) ?? this.#find(0n);
    if (value === undefined) return undefined;
    this.#take(value);
    this.#cursor = value + 1n;
    return value;
  }

  /** `value`, which is owned and was in use, is free again. */
  giveBack(value: bigint): void {
    const i = this.#indexAt(value);
    const before = this.#free[i];
    if (before && value < before.end) return;
    const after = this.#free[i + 1];
    const joinsBefore = before !== undefined && before.end === value;
    const joinsAfter = after !== undefined && after.start === value + 1n;
    const merged = { start: joinsBefore ? before.start : value, end: joinsAfter ? after.end : value + 1n };
    const from = joinsBefore ? i : i + 1;
    this.#free.splice(from, (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), merged);
  }

  #append(start: bigint, end: bigint): void {
    if (start >= end) return;
    const last = this.#free.at(-1);
    if (last?.end === start) this.#free[this.#free.length - 1] = { start: last.start, end };
    else this.#free.push({ start, end });
  }

  #find(from: bigint): bigint | undefined {
    for (let i = Math.max(this.#indexAt(from), 0); i < this.#free.length; i++) {
      const { start, end } = this.#free[i]!;
      let value = from > start ? from : start;
      while (value < end && this.#reserved.includes(value)) value++;
      if (value < end) return value;
    }
    return undefined;
  }

  #take(value: bigint): void {
    const i = this.#indexAt(value);
    const { start, end } = this.#free[i]!;
    const pieces: Interval[] = [];
    if (start < value) pieces.push({ start, end: value });
    if (value + 1n < end) pieces.push({ start: value + 1n, end });
    this.#free.splice(i, 1, ...pieces);
  }

  /** The last interval that starts at or before `value`; -1 where there is none. */
  #indexAt(value: bigint): number {
    let [low, high] = [0, this.#free.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#free[middle]!.start <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

import { type RandomSource, randomBelow, shuffle } from '../../base/random.ts';
import { seededRandom } from '../seeded-random.ts';

/** Chances and choices; the same seed and index give the same ones in the same order. */
export class Dice {
  readonly #random: RandomSource;

  /** @param index The number of the cluster among those of the seed, below 2^21. */
  constructor(seed: number, index = 0) {
    this.#random = seededRandom((seed >>> 0) + index * 2 ** 32);
  }

  /** Whether it happens, in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return randomBelow(this.#random, 100) < percent;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + randomBelow(this.#random, high - low + 1);
  }

  /** One of the items. */
  oneOf<T>(items: readonly T[]): T {
    return items[randomBelow(this.#random, items.length)]!;
  }

  /** Between `low` and `high` of the items, each at most once, in any order; all where there are fewer. */
  someOf<T>(items: readonly T[], low: number, high: number): T[] {
    return this.shuffled(items).slice(0, this.between(low, high));
  }

  shuffled<T>(items: readonly T[]): T[] {
    return shuffle(this.#random, [...items]);
  }

  /** A list of between `low` and `high` things, each made anew. */
  list<T>(low: number, high: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.between(low, high) }, (_, index) => make(index));
  }
}

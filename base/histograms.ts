import { assert } from './assert.ts';

/** How long something takes, each time that it is done, in words for whoever operates the node. */
interface HistogramDeclaration {
  /** One or two sentences: what was measured. */
  readonly help: string;
  readonly unit: 'seconds';
  /** Where its classes end, rising; one class more is for what is above. */
  readonly bounds: readonly number[];
}

/** The histograms that a room declares, by name. Names have the form of those of counters (counters.ts). */
export type HistogramTable<Name extends string = string> = Readonly<Record<Name, HistogramDeclaration>>;

/** What was measured so far. */
export interface HistogramReading {
  /** How often it was at most as much as each bound. */
  readonly atMost: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** Declares a histogram. */
export function histogram(bounds: readonly number[], help: string): HistogramDeclaration {
  assert(
    bounds.length > 0 && bounds.every((bound, at) => at === 0 || bound > bounds[at - 1]!),
    'bounds of classes rise',
  );
  return { help, unit: 'seconds', bounds };
}

/** Measurements under names that a {@link HistogramTable} declares: numbers of them by size, not each one. */
export class Histograms<in Name extends string> {
  readonly #table: HistogramTable<Name>;
  readonly #readingByName = new Map<string, { counts: number[]; sum: number }>();

  constructor(table: HistogramTable<Name>) {
    this.#table = table;
    for (const [name, { bounds }] of Object.entries<HistogramDeclaration>(table))
      this.#readingByName.set(name, { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 });
  }

  /** Asserts that `name` is declared. */
  observe(name: Name, seconds: number): void {
    const reading = this.#readingByName.get(name);
    assert(reading !== undefined, `the histogram ${name} is declared`);
    const { bounds } = this.#table[name];
    const at = bounds.findIndex((bound) => seconds <= bound);
    reading.counts[at < 0 ? bounds.length : at]!++;
    reading.sum += seconds;
  }

  snapshot(): Record<string, HistogramReading> {
    return Object.fromEntries(
      [...this.#readingByName].map(([name, { counts, sum }]) => {
        let count = 0;
        const atMost = counts.map((each) => {
          count += each;
          return count;
        });
        return [name, { atMost: atMost.slice(0, -1), count, sum }];
      }),
    );
  }
}

import { SERIES_POINTS, type Series, type SeriesLine } from './picture.ts';

/** What a line is, and its value at one moment. */
export type SeriesValue = Omit<SeriesLine, 'values'> & { readonly value: number | null };

interface Line {
  readonly about: Omit<SeriesLine, 'values'>;
  values: (number | null)[];
}

/** Some numbers over time, the last {@link SERIES_POINTS} points of them. */
export class SeriesRing {
  #at: number[] = [];
  readonly #lineById = new Map<string, Line>();

  /** A line that is new was null before, one that is not among `values` is null now; it goes when it has been null all along. */
  push(at: number, values: readonly SeriesValue[]): void {
    const before = this.#at.length;
    this.#at.push(at);
    for (const { value, ...about } of values) {
      let line = this.#lineById.get(about.id);
      if (line === undefined) {
        line = { about, values: new Array<null>(before).fill(null) };
        this.#lineById.set(about.id, line);
      }
      line.values.push(value);
    }
    for (const line of this.#lineById.values()) if (line.values.length === before) line.values.push(null);
    if (this.#at.length > SERIES_POINTS) {
      this.#at.shift();
      for (const line of this.#lineById.values()) line.values.shift();
    }
    for (const [id, line] of this.#lineById)
      if (line.values.every((value) => value === null)) this.#lineById.delete(id);
  }

  /** A copy. */
  series(): Series {
    return {
      at: [...this.#at],
      lines: [...this.#lineById.values()].map(({ about, values }) => ({ ...about, values: [...values] })),
    };
  }
}

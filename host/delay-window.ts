import { assert } from '../base/assert.ts';

/** The delays of the last `size` samples, and how they are spread. Pure; nothing is allocated by a sample. */
export class DelayWindow {
  readonly #samplesMs: Float64Array;
  #count = 0;

  constructor(size: number) {
    assert(size > 0, 'a window of some samples');
    this.#samplesMs = new Float64Array(size);
  }

  /** Samples taken so far, those that are forgotten included. */
  get samples(): number {
    return this.#count;
  }

  /** One delay, in milliseconds; the oldest goes where the window is full. One below zero counts as none. */
  add(delayMs: number): void {
    this.#samplesMs[this.#count++ % this.#samplesMs.length] = Math.max(0, delayMs);
  }

  /** The delay in milliseconds that the share `quantile` of the samples stays under, 0 < quantile ≤ 1; 0 without any. */
  quantileMs(quantile: number): number {
    const sorted = this.#samplesMs.slice(0, this.#count).sort();
    return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? 0;
  }
}

import { after, type Instant } from '../base/instant.ts';
import { DelayWindow } from './delay-window.ts';

/** Of all delays within so long the greatest is kept. */
const SAMPLE_MS = 500;
/** How far back samples are kept, where timers run all the time. */
const WINDOW_MS = 60_000;

/**
 * How long the event loop kept timers waiting, in about the last minute. Pure: whoever has timers notes how late they were.
 * A timer of its own would wake the process for nothing else: twice a second, of fifteen times that an idle
 * weftd wakes up.
 */
export class EventLoopDelay {
  readonly #window = new DelayWindow(WINDOW_MS / SAMPLE_MS);
  #greatestMs = 0;
  #sampleEndsAt: Instant | undefined;

  /** A timer ran at `now`, that was due at `dueAt`. */
  note(dueAt: Instant, now: Instant): void {
    this.#sampleEndsAt ??= after(now, SAMPLE_MS);
    if (now >= this.#sampleEndsAt) {
      this.#window.add(this.#greatestMs);
      this.#greatestMs = 0;
      this.#sampleEndsAt = after(now, SAMPLE_MS);
    }
    this.#greatestMs = Math.max(this.#greatestMs, now - dueAt);
  }

  /** As {@link DelayWindow.quantileMs}; what was noted last may not be in it yet. */
  quantileMs(quantile: number): number {
    return this.#window.quantileMs(quantile);
  }
}

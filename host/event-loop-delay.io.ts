import { clock } from './clock.io.ts';
import { DelayWindow } from './delay-window.ts';

/**
 * A timer asks so often how late it is. Each time wakes the process: at ten times a second these were a third of all
 * wake-ups of an idle weftd. At twice a second a minute still has 120 samples, of which the 99th percentile means something.
 */
const SAMPLE_EVERY_MS = 500;
/** How far back samples are kept. */
const WINDOW_MS = 60_000;

/** How long the event loop kept a timer waiting, in the last minute. Keeps no process alive. */
export class EventLoopDelay {
  readonly #window = new DelayWindow(WINDOW_MS / SAMPLE_EVERY_MS);
  readonly #timer: NodeJS.Timeout;
  #sampledAt = clock();

  constructor() {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS).unref();
  }

  get samples(): number {
    return this.#window.samples;
  }

  /** As {@link DelayWindow.quantileMs}. */
  quantileMs(quantile: number): number {
    return this.#window.quantileMs(quantile);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = clock();
    this.#window.add(now - this.#sampledAt - SAMPLE_EVERY_MS);
    this.#sampledAt = now;
  }
}

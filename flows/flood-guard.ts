import type { Instant } from '../base/instant.ts';

/** So many events within the time are read, and no more: the packets of pods go through the same event loop. */
const LIMIT = { events: 10_000, withinMs: 250 } as const;

/** Sees when more events come than a node is willing to read. */
export class FloodGuard {
  #since: Instant | undefined;
  #events = 0;

  /** Counts an event. */
  count(): void {
    this.#events++;
  }

  /** Whether too many came; to be asked after each batch of them. It begins anew where they did, and with the time. */
  isFlooded(now: Instant): boolean {
    const isFlooded = this.#events > LIMIT.events;
    this.#since ??= now;
    if (isFlooded || now - this.#since >= LIMIT.withinMs) {
      this.#since = now;
      this.#events = 0;
    }
    return isFlooded;
  }
}

import { after, type Instant, instant } from '../base/instant.ts';

/**
 * A node that comes back to a ring hands nothing new out before it has listened: a moment after the first peer is
 * seen alive, or for so long where none is. It may have been removed meanwhile, and has to hear of it first. Nor does it
 * write to its log, vote or promise: its state folder may have gone back in time, and those before with it.
 */
/** Some round trips across the world: the votes that removed us come by the first comparison over the first link. */
export const RETURN_LISTEN_MS = 1000;
export const RETURN_ALONE_MS = 2000;

/** How long a node that has started still listens. */
export class Homecoming {
  #until: Instant = instant(0);
  #over = true;

  /** When the wait ends, if nobody is seen alive before. */
  get until(): Instant {
    return this.#until;
  }

  /** As of the last {@link advance}: what others decided while we were away should have come. */
  get over(): boolean {
    return this.#over;
  }

  /** `alone`: nobody else could have removed us. */
  start(alone: boolean, now: Instant): void {
    this.#until = after(now, alone ? 0 : RETURN_ALONE_MS);
  }

  peerAlive(now: Instant): void {
    const until = after(now, RETURN_LISTEN_MS);
    if (until < this.#until) this.#until = until;
  }

  advance(now: Instant): void {
    this.#over = now >= this.#until;
  }
}

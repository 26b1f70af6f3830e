import { after, type Instant, instant } from '../base/instant.ts';

/** Listening time after the first peer was seen alive: enough for its records to come, across the world too. */
export const RETURN_LISTEN_MS = 1000;
/** Listening time where no peer is seen alive. */
export const RETURN_ALONE_MS = 2000;

/**
 * How long a node that has started only listens.
 *
 * While it was away its peers may have removed it, or its state folder may have been put back to an older one. So a
 * node that comes back hands out no new address, writes nothing to its log, and neither votes nor promises, until it
 * has had the time to hear of that.
 *
 * Where an authority outside decides on removals, a node whose host was off waits for its word without a limit: what
 * the node was granted may have become void while nobody was there to tell, and no peer's word stands for the
 * authority's.
 */
export class RejoinGrace {
  #until: Instant = instant(0);
  #over = true;
  #needsAuthority = false;

  /** When the wait ends, if nobody is seen alive before. */
  get until(): Instant {
    return this.#until;
  }

  /** True once what others decided while we were away should have arrived, as of the last {@link advance}. */
  get over(): boolean {
    return this.#over;
  }

  /**
   * `alone`: nobody else could have removed us. `needsAuthority`: the host was off since this node ran last, so that
   * the authority outside has to be heard first, however long that takes.
   */
  start(alone: boolean, needsAuthority: boolean, now: Instant): void {
    this.#until = after(now, alone ? 0 : RETURN_ALONE_MS);
    this.#needsAuthority = needsAuthority;
  }

  /** What the authority decided is known. */
  authorityHeard(): void {
    this.#needsAuthority = false;
  }

  /** It is the authority that is waited for. */
  get awaitsAuthority(): boolean {
    return this.#needsAuthority;
  }

  peerAlive(now: Instant): void {
    const until = after(now, RETURN_LISTEN_MS);
    if (until < this.#until) this.#until = until;
  }

  advance(now: Instant): void {
    this.#over = now >= this.#until && !this.#needsAuthority;
  }
}

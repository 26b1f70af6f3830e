import { after, type Instant, instant } from '../base/instant.ts';
import type { IpamStore } from './model/store.ts';

/** In the store while the authority has not been heard since the host started. */
const UNHEARD = 'rejoin/authority-unheard';

/** Listening time after the first peer was seen alive: enough for its records to come, across the world too. */
const RETURN_LISTEN_MS = 1000;
/** Listening time where no peer is seen alive. */
const RETURN_ALONE_MS = 2000;

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
  readonly #store: IpamStore;

  constructor(store: IpamStore) {
    this.#store = store;
  }

  /** When the wait ends, if nobody is seen alive before. */
  get until(): Instant {
    return this.#until;
  }

  /** True once what others decided while we were away should have arrived, as of the last {@link advance}. */
  get over(): boolean {
    return this.#over;
  }

  /**
   * `alone`: nobody else could have removed us. `byAuthority`: an authority outside decides on removals in our ring.
   * `sameBoot`: the host was not off since this node ran last.
   */
  start(
    node: { readonly alone: boolean; readonly byAuthority: boolean; readonly sameBoot: boolean },
    now: Instant,
  ): void {
    this.#until = after(now, node.alone ? 0 : RETURN_ALONE_MS);
    if (!node.byAuthority || (node.sameBoot && this.#store.get(UNHEARD) === undefined)) return;
    this.#store.put(UNHEARD, Uint8Array.of(1));
    this.#needsAuthority = true;
  }

  /** What the authority decided is known. */
  authorityHeard(): void {
    if (this.#needsAuthority) this.#store.remove(UNHEARD);
    this.#needsAuthority = false;
  }

  /** What is waited for beside time, in words for the user. */
  get awaits(): string | undefined {
    if (!this.#needsAuthority) return undefined;
    return 'waits for the API of Kubernetes to say which nodes were removed while this one was off';
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

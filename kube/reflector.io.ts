import { setTimeout as delay } from 'node:timers/promises';
import { type Instant, instant } from '../base/instant.ts';
import type { ApiClient } from './api-client.io.ts';
import { ApiError } from './api-error.ts';
import { ListWatch, type ListWatchOptions, STEADY_MS } from './list-watch.ts';
import { type Delta, isEmpty } from './object-store.ts';
import type { ObjectMeta } from './objects.ts';

/** A server sends a bookmark about once a minute, so a watch that is silent for longer is dead. */
const SILENCE_MS = 150_000;
/** A timer counts from when the event loop last looked at the clock, and so may come a little early. */
const TIMER_SLACK_MS = 500;

/** What a {@link Reflector} follows, and whom it tells. */
export interface ReflectorOptions<T extends ObjectMeta> extends ListWatchOptions<T> {
  readonly client: ApiClient;
  /** Of the collection: `/api/v1/nodes`. */
  readonly path: string;
  /** Only `metadata` of each object is asked for. */
  readonly metadataOnly?: boolean;
  /** What changed, also while the first list is still under way. Never empty. */
  readonly onDelta: (delta: Delta<T>) => void;
  /** The first list is complete, and its objects were handed out. Called once. */
  readonly onSynced: () => void;
  /** It does not work at present: why. The last objects stay in use. */
  readonly onFault: (error: ApiError) => void;
  /** It works: called when a watch is granted for the first time, and when one works again after a fault. */
  readonly onServed: () => void;
}

/** Keeps a copy of a collection of the API: carries out what a {@link ListWatch} wants to ask. */
export class Reflector<T extends ObjectMeta> {
  readonly #options: ReflectorOptions<T>;
  readonly #listWatch: ListWatch<T>;
  readonly #stop = new AbortController();
  #toldSynced = false;
  #toldServed = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#listWatch = new ListWatch(options);
  }

  /** Follows the collection until {@link stop}; resolves then. Rejects with what is no {@link ApiError}: a bug. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#ask();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        const { waitMs, isFault } = this.#listWatch.failed(error, clock());
        if (isFault) {
          this.#toldServed = false;
          this.#options.onFault(error);
        }
        await delay(waitMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #ask(): Promise<void> {
    const { client, path } = this.#options;
    const { signal } = this.#stop;
    const { type, query } = this.#listWatch.next();
    if (type === 'list') {
      const { head, objects } = await client.list(`${path}?${query}`, this.#options.read, {
        signal,
        ...this.#accept('PartialObjectMetadataList'),
      });
      if (!signal.aborted) this.#tell(this.#listWatch.takePage(head, objects));
      return;
    }
    const lines = await client.watch(`${path}?${query}`, {
      silenceMs: SILENCE_MS,
      signal,
      ...this.#accept('PartialObjectMetadata'),
    });
    this.#listWatch.watchGranted(clock());
    this.#tellServed();
    const stands = setTimeout(() => {
      this.#listWatch.watchStands(clock());
      this.#tellServed();
    }, STEADY_MS + TIMER_SLACK_MS);
    try {
      for await (const line of lines) {
        if (signal.aborted) return;
        this.#tell(this.#listWatch.takeLine(line));
        this.#tellServed();
      }
    } finally {
      clearTimeout(stands);
    }
    this.#listWatch.watchEnded(clock());
    this.#tellServed();
  }

  #tell(delta: Delta<T>): void {
    if (!isEmpty(delta)) this.#options.onDelta(delta);
    if (this.#toldSynced || !this.#listWatch.isSynced) return;
    this.#toldSynced = true;
    this.#options.onSynced();
  }

  #tellServed(): void {
    if (this.#toldServed || !this.#listWatch.serves) return;
    this.#toldServed = true;
    this.#options.onServed();
  }

  #accept(kind: string): { readonly accept?: string } {
    return this.#options.metadataOnly ? { accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` } : {};
  }
}

function clock(): Instant {
  return instant(performance.now());
}

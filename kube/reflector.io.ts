import { setTimeout as delay } from 'node:timers/promises';
import { type RandomSource, randomBelow } from '../base/random.ts';
import type { ApiClient } from './api-client.io.ts';
import { ApiError } from './api-error.ts';
import { Backoff } from './backoff.ts';
import { type ObjectMeta, readList, readMeta } from './objects.ts';
import { readWatchEvent } from './watch-event.ts';

/** Objects asked for in one page of a list. */
const PAGE_SIZE = 500;
/** A server sends a bookmark about once a minute, so a watch that is silent for longer is dead. */
const SILENCE_MS = 150_000;
/** A watch that stood for so long worked, also where nothing happened meanwhile; unless it fell silent. Milliseconds. */
const STEADY_MS = 10_000;
/** A watch is asked to last so many seconds, drawn anew: so not all nodes come back at once. */
const WATCH_SECONDS = { least: 300, spread: 300 } as const;

/** What a {@link Reflector} follows. */
export interface ReflectorOptions<T extends ObjectMeta> {
  readonly client: ApiClient;
  /** Of the collection: `/api/v1/nodes`. */
  readonly path: string;
  /** Label selector; empty for all. */
  readonly selector: string;
  /** Only `metadata` of each object is asked for. */
  readonly metadataOnly?: boolean;
  /** Undefined for what is to be left out. */
  readonly read: (value: unknown) => T | undefined;
  readonly random: RandomSource;
  /** All objects, by name, after the first list and after each change. */
  readonly onChange: (objects: ReadonlyMap<string, T>) => void;
  /** It does not work at present: why. The last objects stay in use. */
  readonly onFault: (error: ApiError) => void;
  /** It works: a watch stands. May come again and again. */
  readonly onServed: () => void;
}

/**
 * Keeps a copy of a collection of the API: one list, then a watch which goes on where the last one ended. Whatever
 * fails is tried again, ever more rarely. What the API cannot say any more (410) is listed anew, and so is what a watch
 * may have kept from us that fell silent. A copy is told apart by name and uid, so an object that was deleted and made
 * again while nobody looked is another one.
 *
 * Watches break and grow old in the ordinary course of things: that is no fault where the next one stands. It is one
 * where watch after watch brings nothing.
 */
export class Reflector<T extends ObjectMeta> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #objectByName = new Map<string, T>();
  #resourceVersion: string | undefined;
  /** When the watch at hand was granted. Milliseconds. */
  #openedAt: number | undefined;
  /** Watches in a row that did not work though they were granted, or that asked for what is too old. */
  #barren = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  /** Follows the collection until {@link stop}. */
  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#openedAt = undefined;
      try {
        if (this.#resourceVersion === undefined) await this.#list();
        await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 410 || error.reason === 'Silent') this.#resourceVersion = undefined;
        this.#judge(error);
        await delay(this.#backoff.next(error.retryAfterMs), undefined, { signal }).catch(() => {});
      }
    }
  }

  #judge(error: ApiError): void {
    const isOrdinary = this.#openedAt !== undefined || error.status === 410;
    if (this.#isSteady && error.reason !== 'Silent') this.#worked();
    else if (isOrdinary) this.#barren++;
    if (!isOrdinary || this.#barren > 1 || error.reason === 'Malformed') this.#options.onFault(error);
  }

  async #list(): Promise<void> {
    const { client, read } = this.#options;
    const found: T[] = [];
    let next = '';
    let version = '';
    do {
      const page = next === '' ? '' : `&continue=${encodeURIComponent(next)}`;
      const answer = await client.request(`${this.#query()}&limit=${PAGE_SIZE}${page}`, {
        signal: this.#stop.signal,
        ...this.#accept('PartialObjectMetadataList'),
      });
      const list = readList(answer);
      if (list === undefined) throw new ApiError(0, 'NoList', `${this.#options.path} is no list`);
      for (const item of list.items) {
        const object = read(item);
        if (object !== undefined) found.push(object);
      }
      version = list.resourceVersion;
      next = continueOf(answer);
    } while (next !== '');
    this.#objectByName.clear();
    for (const object of found) this.#objectByName.set(object.name, object);
    this.#resourceVersion = version;
    this.#options.onChange(this.#objectByName);
  }

  async #watch(): Promise<void> {
    const { client, random, onServed } = this.#options;
    const seconds = WATCH_SECONDS.least + randomBelow(random, WATCH_SECONDS.spread);
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${this.#resourceVersion}&timeoutSeconds=${seconds}`;
    await client.watch(`${this.#query()}&${query}`, {
      onOpen: () => {
        this.#openedAt = performance.now();
        if (this.#barren <= 1) onServed();
      },
      onLine: (line) => this.#take(line),
      silenceMs: SILENCE_MS,
      signal: this.#stop.signal,
      ...this.#accept('PartialObjectMetadata'),
    });
    // Also where it brought something: a server that closes each watch soon would be asked without end.
    if (!this.#isSteady) throw new ApiError(0, 'Short', 'the watch ended at once');
    this.#worked();
  }

  get #isSteady(): boolean {
    return this.#openedAt !== undefined && performance.now() - this.#openedAt >= STEADY_MS;
  }

  /** The watch brought something, or stood. */
  #worked(): void {
    this.#backoff.reset();
    if (this.#barren > 1) this.#options.onServed();
    this.#barren = 0;
  }

  #accept(kind: string): { readonly accept?: string } {
    return this.#options.metadataOnly ? { accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` } : {};
  }

  #take(line: string): void {
    const event = readWatchEvent(line);
    if (!event.ok)
      throw new ApiError(0, 'Malformed', `a line of the watch of ${this.#options.path} is malformed`);
    if (event.value.type === 'error') throw new ApiError(event.value.status, 'Expired', event.value.message);
    this.#resourceVersion = event.value.resourceVersion;
    this.#worked();
    if (event.value.type === 'bookmark') return;
    const { name } = readMeta(event.value.object)!;
    const object = event.value.type === 'gone' ? undefined : this.#options.read(event.value.object);
    if (object === undefined) this.#objectByName.delete(name);
    else this.#objectByName.set(name, object);
    this.#options.onChange(this.#objectByName);
  }

  #query(): string {
    return `${this.#options.path}?labelSelector=${encodeURIComponent(this.#options.selector)}`;
  }
}

function continueOf(list: unknown): string {
  const { metadata } = list as { readonly metadata: { readonly continue?: unknown } };
  return typeof metadata.continue === 'string' ? metadata.continue : '';
}

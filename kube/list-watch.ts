import type { Instant } from '../base/instant.ts';
import { type RandomSource, randomBelow } from '../base/random.ts';
import { ApiError } from './api-error.ts';
import { Backoff } from './backoff.ts';
import { type Delta, ObjectStore } from './object-store.ts';
import { isRecord, type ObjectMeta, readList, readMeta } from './objects.ts';
import { readWatchEvent } from './watch-event.ts';

/** Objects asked for in one page of a list. */
const PAGE_SIZE = 500;
/** Objects that are kept of one collection; Kubernetes supports so many pods in a cluster. */
const MAX_OBJECTS = 150_000;
/** A watch that stood for so long worked, also where nothing happened meanwhile; unless it fell silent. Milliseconds. */
export const STEADY_MS = 10_000;
/** A watch is asked to last so many seconds, drawn anew: so not all nodes come back at once. */
const WATCH_SECONDS = { least: 300, spread: 300 } as const;

/** What a {@link ListWatch} follows. */
export interface ListWatchOptions<T extends ObjectMeta> {
  /** Label selector; empty for all objects. */
  readonly labelSelector?: string;
  /** Field selector; empty for all objects. An object that no longer matches comes as one that is gone. */
  readonly fieldSelector?: string;
  /** `read` leaves out the same objects, so a server that does not know a field (400) is asked for all of them instead. */
  readonly isFieldSelectorOptional?: boolean;
  /** Keeps of an object what is used, and nothing else of it; undefined for an object that is to be left out. */
  readonly read: (value: unknown) => T | undefined;
  readonly random: RandomSource;
}

/** What is to be asked of the API next: the query of a collection's path. */
interface NextRequest {
  readonly type: 'list' | 'watch';
  readonly query: string;
}

/**
 * How a copy of a collection is kept, without any I/O: one list, page by page, then a watch which goes on where the
 * last one ended (Kubernetes API concepts, "Efficient detection of changes"). The caller asks what {@link next} says,
 * hands in what comes, and waits as {@link failed} says.
 *
 * A failed request is asked again, ever more rarely. What the API cannot say any more (410) is listed anew. So is what
 * a silent watch may have kept back: a server whose database was restored from a backup sends nothing to a watch from
 * a version that it does not have yet. The copy stays in use meanwhile, and what changed comes as deltas.
 *
 * Watches break and grow old in the ordinary course of things: that is no fault where the next one stands. It is one
 * where watch after watch brings nothing.
 */
export class ListWatch<T extends ObjectMeta> {
  readonly #options: ListWatchOptions<T>;
  readonly #backoff: Backoff;
  readonly #store = new ObjectStore<T>();
  #isSynced = false;
  /** The list under way: where its next page begins. Undefined while there is none. */
  #continue: string | undefined;
  /** The version from which to watch; undefined while a list is needed. */
  #resourceVersion: string | undefined;
  #fieldSelector: string;
  /** When the watch at hand was granted. */
  #grantedAt: Instant | undefined;
  /** Watches in a row that brought nothing though they were granted, or that asked for what is too old. */
  #barren = 0;
  /** Requests are granted since the last fault. */
  #serves = false;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#fieldSelector = options.fieldSelector ?? '';
    this.#backoff = new Backoff(options.random);
  }

  /** A list was complete once, so all objects were handed out. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** A watch stands or stood since the last fault, and is not one of several that brought nothing. */
  get serves(): boolean {
    return this.#serves;
  }

  /** Objects in the copy. */
  get size(): number {
    return this.#store.size;
  }

  /** What to ask now. */
  next(): NextRequest {
    this.#grantedAt = undefined;
    if (this.#resourceVersion !== undefined) {
      const seconds = WATCH_SECONDS.least + randomBelow(this.#options.random, WATCH_SECONDS.spread);
      const from = `resourceVersion=${this.#resourceVersion}&timeoutSeconds=${seconds}`;
      return { type: 'watch', query: `${this.#selectors()}watch=1&allowWatchBookmarks=true&${from}` };
    }
    if (this.#continue === undefined) {
      this.#store.beginList();
      this.#continue = '';
    }
    const page = this.#continue === '' ? '' : `&continue=${encodeURIComponent(this.#continue)}`;
    return { type: 'list', query: `${this.#selectors()}limit=${PAGE_SIZE}${page}` };
  }

  /**
   * A page of the list: `head` is all of it but its items, of which `objects` were read. Throws an {@link ApiError} where
   * it is none, or where the collection is too large.
   */
  takePage(head: unknown, objects: readonly T[]): Delta<T> {
    const list = readList(head);
    if (list === undefined) throw new ApiError(0, NO_LIST, 'the answer is no list');
    const delta = this.#store.put(objects);
    this.#refuseTooMany();
    const next = continueOf(head);
    if (next !== '') {
      this.#continue = next;
      return delta;
    }
    this.#continue = undefined;
    this.#resourceVersion = list.resourceVersion;
    this.#isSynced = true;
    return { ...delta, gone: [...delta.gone, ...this.#store.endList().gone] };
  }

  /** The watch that was asked for is granted. */
  watchGranted(now: Instant): void {
    this.#grantedAt = now;
    if (this.#barren <= 1) this.#serves = true;
  }

  /** To be called {@link STEADY_MS} after a watch was granted which still stands: it works, also where it is quiet. */
  watchStands(now: Instant): void {
    if (this.#isSteady(now)) this.#worked();
  }

  /** A line of the watch. Throws an {@link ApiError} where the line ends the watch. */
  takeLine(line: string): Delta<T> {
    const event = readWatchEvent(line);
    if (!event.ok) throw new ApiError(0, MALFORMED, 'a line of the watch is malformed');
    const { value } = event;
    if (value.type === 'error') throw new ApiError(value.status, 'Expired', value.message);
    this.#resourceVersion = value.resourceVersion;
    this.#worked();
    if (value.type === 'bookmark') return NOTHING;
    const object = value.type === 'gone' ? undefined : this.#options.read(value.object);
    if (object === undefined) return this.#store.remove(readMeta(value.object)!);
    const delta = this.#store.put([object]);
    this.#refuseTooMany();
    return delta;
  }

  /** The server ended the watch. Throws an {@link ApiError} where that was too soon. */
  watchEnded(now: Instant): void {
    // Also where it brought something: a server that closes each watch soon would be asked without end.
    if (!this.#isSteady(now)) throw new ApiError(0, 'Short', 'the watch ended at once');
    this.#worked();
  }

  /** A request failed, or what it brought was refused: how long to wait, and whether a user should hear of it. */
  failed(error: ApiError, now: Instant): { readonly waitMs: number; readonly isFault: boolean } {
    const { status, reason } = error;
    if (status === 400 && this.#dropFieldSelector()) return { waitMs: 0, isFault: false };
    if (status === 410 || reason === 'Silent') this.#resourceVersion = undefined;
    // A page that failed by the way is asked again; where the server refuses it, the list begins anew.
    if (reason === NO_LIST || (status >= 400 && status < 500 && status !== 429)) this.#continue = undefined;
    const isOrdinary = this.#grantedAt !== undefined || status === 410;
    if (this.#isSteady(now) && reason !== 'Silent') this.#worked();
    else if (isOrdinary) this.#barren++;
    const isFault = !isOrdinary || this.#barren > 1 || reason === MALFORMED;
    if (isFault) this.#serves = false;
    return { waitMs: this.#backoff.next(error.retryAfterMs), isFault };
  }

  /** True where it did: the next request asks for more than the last one. Only once, and not for a page by the way. */
  #dropFieldSelector(): boolean {
    const isPage = this.#continue !== undefined && this.#continue !== '';
    if (!this.#options.isFieldSelectorOptional || this.#fieldSelector === '' || isPage) return false;
    this.#fieldSelector = '';
    return true;
  }

  #isSteady(now: Instant): boolean {
    return this.#grantedAt !== undefined && now - this.#grantedAt >= STEADY_MS;
  }

  /** The watch brought something, or stood. */
  #worked(): void {
    this.#backoff.reset();
    this.#barren = 0;
    this.#serves = true;
  }

  #refuseTooMany(): void {
    if (this.#store.size > MAX_OBJECTS)
      throw new ApiError(0, NO_LIST, `the collection has over ${MAX_OBJECTS} objects`);
  }

  #selectors(): string {
    const { labelSelector = '' } = this.#options;
    const fieldSelector = this.#fieldSelector;
    return [
      ...(labelSelector === '' ? [] : [`labelSelector=${encodeURIComponent(labelSelector)}&`]),
      ...(fieldSelector === '' ? [] : [`fieldSelector=${encodeURIComponent(fieldSelector)}&`]),
    ].join('');
  }
}

const NO_LIST = 'NoList';
const MALFORMED = 'Malformed';
const NOTHING: Delta<never> = { gone: [], added: [], changed: [] };

function continueOf(list: unknown): string {
  const metadata = isRecord(list) && isRecord(list.metadata) ? list.metadata : {};
  return typeof metadata.continue === 'string' ? metadata.continue : '';
}

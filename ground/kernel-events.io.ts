import { type NetlinkEventListener, NetlinkEvents } from '../native/netlink-events.ts';

/** Pause before a socket that ended is opened again: doubles from the first to the last while that fails. */
export const FIRST_REOPEN_MS = 1_000;
export const LAST_REOPEN_MS = 60_000;
/** A socket that lasted so long begins with the first pause again. */
const LASTED_MS = LAST_REOPEN_MS;

/** A socket of {@link NetlinkEvents}, as far as it matters here. */
interface EventSocket {
  close(): void;
}

interface KernelEventsOptions {
  /** Opens the socket. Throws what {@link NetlinkEvents.open} throws. */
  readonly open: (listener: NetlinkEventListener) => EventSocket;
  readonly onDatagrams: NetlinkEventListener['onDatagrams'];
  /** Events were lost, and anything may have changed: they were more than was read, or nobody listened for a while. */
  readonly onLost: () => void;
  /** The socket ended, or could not be opened again. It is tried again. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Events of the kernel that do not end: a socket that ended in an error is opened again, ever more rarely while that
 * fails. What happened meanwhile is told as lost, after the new socket listens: whoever then looks at everything misses
 * nothing.
 */
export class KernelEvents {
  readonly #options: KernelEventsOptions;
  #socket: EventSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #openedAt = 0;
  #pauseMs = FIRST_REOPEN_MS;
  #closed = false;

  private constructor(options: KernelEventsOptions) {
    this.#options = options;
  }

  /** Opens the socket for the first time; throws as `open` does. */
  static open(options: KernelEventsOptions): KernelEvents {
    const events = new KernelEvents(options);
    events.#open();
    return events;
  }

  /** The same for a socket of `protocol` that is a member of `groups`. Throws as {@link NetlinkEvents.open} does. */
  static of(
    protocol: number,
    groups: readonly number[],
    told: Omit<KernelEventsOptions, 'open'>,
  ): KernelEvents {
    return KernelEvents.open({
      ...told,
      open: (listener) => NetlinkEvents.open(protocol, groups, listener),
    });
  }

  /** Ends it; nothing is told after this. Harmless when repeated. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): void {
    const { open, onDatagrams, onLost } = this.#options;
    this.#socket = open({ onDatagrams, onLost, onError: (error) => this.#ended(error) });
    this.#openedAt = performance.now();
  }

  #ended(error: unknown): void {
    if (this.#closed) return;
    this.#socket?.close();
    this.#socket = undefined;
    if (performance.now() - this.#openedAt >= LASTED_MS) this.#pauseMs = FIRST_REOPEN_MS;
    this.#options.onFault(error);
    this.#timer = setTimeout(() => this.#reopen(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_REOPEN_MS);
  }

  #reopen(): void {
    try {
      this.#open();
    } catch (error) {
      this.#ended(error);
      return;
    }
    this.#options.onLost();
  }
}

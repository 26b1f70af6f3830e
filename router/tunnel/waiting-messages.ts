import { after, type Instant } from '../../base/instant.ts';

/**
 * Messages of upper layers to one peer that wait for its tunnel. They are datagrams and few: a ping of the failure
 * detector that was dropped for want of a tunnel would make a live peer look dead.
 */
export class WaitingMessages {
  /** The oldest first; at most {@link WAITING_MESSAGES_MAX}. */
  #waiting: { readonly body: Uint8Array; readonly until: Instant }[] = [];

  /** Keeps the body of a message, which the caller must not change; the oldest goes where there are too many. */
  keep(body: Uint8Array, now: Instant): void {
    this.#waiting.push({ body, until: after(now, WAITING_MESSAGE_MS) });
    if (this.#waiting.length > WAITING_MESSAGES_MAX) this.#waiting.shift();
  }

  /** Takes out all that are not too old. */
  take(now: Instant): Uint8Array[] {
    const fresh = this.#waiting.filter(({ until }) => now < until);
    this.#waiting = [];
    return fresh.map(({ body }) => body);
  }
}

/** Messages that one peer's tunnel keeps, of 1101 bytes at most. */
const WAITING_MESSAGES_MAX = 4;
/** An answer to what waited longer would come too late for whoever asked. */
const WAITING_MESSAGE_MS = 2000;

import { after, type Instant } from '../../../base/instant.ts';

/** What waits for one peer's session: packets, bytes, and how long (a super-packet counts as one packet). */
export const MAX_WAITING_PACKETS = 64;
export const MAX_WAITING_BYTES = 128 * 1024;
export const MAX_WAITING_MS = 3000;
/** What waits for all peers together. */
export const MAX_WAITING_BYTES_ALL = 4 * 1024 * 1024;

/** Bytes that wait for all peers: one object, shared by all queues. */
export interface WaitingBudget {
  bytes: number;
}

interface Waiting {
  readonly frame: Uint8Array;
  readonly since: Instant;
}

/**
 * Packets that wait for the session with one peer, oldest first. When there is no room the newest is refused: the
 * first packet (a TCP SYN) is the one that must not be lost.
 */
export class WaitingPackets {
  readonly #budget: WaitingBudget;
  #queue: Waiting[] = [];
  #bytes = 0;

  constructor(budget: WaitingBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#queue.length;
  }

  /** Keeps a copy of `frame`; false when there is no room. */
  add(frame: Uint8Array, now: Instant): boolean {
    if (this.#queue.length >= MAX_WAITING_PACKETS) return false;
    if (this.#bytes + frame.length > MAX_WAITING_BYTES) return false;
    if (this.#budget.bytes + frame.length > MAX_WAITING_BYTES_ALL) return false;
    this.#queue.push({ frame: frame.slice(), since: now });
    this.#account(frame.length);
    return true;
  }

  /** Lets go of what has waited for too long; how many that were. */
  expire(now: Instant): number {
    let expired = 0;
    while (expired < this.#queue.length && after(this.#queue[expired]!.since, MAX_WAITING_MS) <= now)
      expired++;
    for (const { frame } of this.#queue.splice(0, expired)) this.#account(-frame.length);
    return expired;
  }

  /** Takes out everything, oldest first. */
  takeAll(): Uint8Array[] {
    const taken = this.#queue.map(({ frame }) => frame);
    this.#queue = [];
    this.#account(-this.#bytes);
    return taken;
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }
}

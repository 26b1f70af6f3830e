import { hex } from '../base/bytes.ts';
import type { RandomSource } from '../base/random.ts';
import { DENIED_WAIT_MS, type DeniedPacketStatus, type PolicyDeniedResult } from '../control/npc-request.ts';

/** Denied packets that are kept for those who ask. */
const MAX_KEPT = 512;

/** The last denied packets, and the requests that wait for the next one. */
export class DeniedPolls {
  /** Another one in each weft-npc, so that a cursor of an earlier one is told from ours. */
  readonly #nonce: string;
  readonly #isLogged: boolean;
  readonly #wakers = new Set<() => void>();
  #kept: DeniedPacketStatus[] = [];
  /** The number of the first that is kept. */
  #first = 0;

  /** `isLogged`: whether anything will ever come. */
  constructor(random: RandomSource, isLogged: boolean) {
    this.#nonce = hex(random.bytes(8));
    this.#isLogged = isLogged;
  }

  add(packet: DeniedPacketStatus): void {
    this.#kept.push(packet);
    if (this.#kept.length > MAX_KEPT) {
      this.#kept.shift();
      this.#first++;
    }
    for (const wake of this.#wakers) wake();
  }

  /** Answers a request: when there is something, when the client has gone, or after {@link DENIED_WAIT_MS}. */
  async wait(cursor: string, whenGone: (act: () => void) => void): Promise<PolicyDeniedResult> {
    const from = this.#numberOf(cursor);
    if (this.#next === from) await this.#change(whenGone);
    const first = Math.max(from, this.#first);
    return {
      cursor: `${this.#nonce}-${this.#next}`,
      denied: this.#kept.slice(first - this.#first),
      lost: first - from,
      logged: this.#isLogged,
    };
  }

  /** Whoever waits is answered. */
  close(): void {
    for (const wake of this.#wakers) wake();
  }

  get #next(): number {
    return this.#first + this.#kept.length;
  }

  /** The number from which a client wants to know; the next one, where the cursor is none of ours. */
  #numberOf(cursor: string): number {
    const [nonce, number] = cursor.split('-');
    const isOurs = nonce === this.#nonce && /^\d{1,15}$/.test(number ?? '');
    return isOurs ? Math.min(Number(number), this.#next) : this.#next;
  }

  async #change(whenGone: (act: () => void) => void): Promise<void> {
    const change = Promise.withResolvers<void>();
    this.#wakers.add(change.resolve);
    whenGone(change.resolve);
    const timer = setTimeout(change.resolve, DENIED_WAIT_MS);
    await change.promise;
    clearTimeout(timer);
    this.#wakers.delete(change.resolve);
  }
}

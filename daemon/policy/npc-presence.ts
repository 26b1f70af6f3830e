import type { Instant } from '../../base/instant.ts';
import { POLICY_GAP_MS } from '../../control/policy-request.ts';

/** A request of weft-npc that waits for its answer. */
interface NpcPoll {
  readonly complete: boolean;
}

/**
 * Whether weft-npc is there, by its requests that wait: it sends the next as soon as one is answered. During a rollout
 * there are two of them, and one is enough.
 */
export class NpcPresence {
  readonly #polls = new Set<NpcPoll>();
  /** The last one that was answered. */
  #answered: { readonly complete: boolean; readonly at: Instant } | undefined;
  #absentSince: Instant;
  #contactAt: Instant;

  /** It may have been there until now, for the weftd before this one. */
  constructor(now: Instant) {
    this.#absentSince = now;
    this.#contactAt = now;
  }

  /** A request came. */
  begin(complete: boolean, now: Instant): NpcPoll {
    const poll = { complete };
    this.#polls.add(poll);
    this.#contactAt = now;
    return poll;
  }

  /** It was answered: the next is due. Nothing where its client had gone. */
  answered(poll: NpcPoll, now: Instant): void {
    if (!this.#polls.delete(poll)) return;
    this.#contactAt = now;
    this.#answered = { complete: poll.complete, at: now };
    this.#absentSince = now;
  }

  /** Its client closed the connection: where that was the only one, weft-npc has gone. */
  hungUp(poll: NpcPoll, now: Instant): void {
    this.#polls.delete(poll);
    this.#contactAt = now;
    if (this.#polls.size > 0) return;
    this.#answered = undefined;
    this.#absentSince = now;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#polls.size;
  }

  isConnected(now: Instant): boolean {
    return this.#polls.size > 0 || this.#isDue(now) !== undefined;
  }

  /** It is connected and has a complete copy of the API, so pods may be left to it. */
  speaks(now: Instant): boolean {
    return [...this.#polls].some(({ complete }) => complete) || this.#isDue(now)?.complete === true;
  }

  /** Since when it has not been connected; undefined while it is. */
  absentSince(now: Instant): Instant | undefined {
    return this.isConnected(now) ? undefined : this.#absentSince;
  }

  /** Milliseconds since anything came of it, at most since this weftd has been here. While a request waits it is 0. */
  silentForMs(now: Instant): number {
    return this.#polls.size > 0 ? 0 : now - this.#contactAt;
  }

  /** It said something else. */
  heard(now: Instant): void {
    this.#contactAt = now;
  }

  #isDue(now: Instant): { readonly complete: boolean } | undefined {
    const last = this.#answered;
    return last !== undefined && now - last.at < POLICY_GAP_MS ? last : undefined;
  }
}

import { after, type Instant } from '../../base/instant.ts';
import type { AllocateFailure, Allocation, AllocationKey, IpamOutput, RequestId } from '../model/types.ts';
import { type Allocator, isValidKey } from './allocator.ts';
import { type Waiting, WaitingRoom } from './waiting-room.ts';

/** How a node stands to those who want addresses of it. */
interface AllocationStanding {
  /** It may hand out addresses of its own range. */
  readonly operational: boolean;
  /** It does not know yet what was decided while it was away: only keys that have addresses get theirs. */
  readonly listening: boolean;
  /** Why nobody gets anything, if that is so. */
  readonly blocked: AllocateFailure | undefined;
  /** There is no range to be had from anybody. */
  readonly poolFull: boolean;
  /** No peer is left that could give a range. */
  readonly ownsAll: boolean;
}

/** Requests of addresses, from the question to the answer: at once where there is a free address, else in time. */
export class AddressRequests {
  readonly #allocator: Allocator;
  readonly #timeoutMs: number;
  readonly #emit: (out: IpamOutput) => void;
  readonly #waiting = new WaitingRoom();

  /** `timeoutMs`: how long a request may wait for a range from another node. */
  constructor(allocator: Allocator, timeoutMs: number, emit: (out: IpamOutput) => void) {
    this.#allocator = allocator;
    this.#timeoutMs = timeoutMs;
    this.#emit = emit;
  }

  /** How many wait. */
  get count(): number {
    return this.#waiting.count;
  }

  nextDeadline(): Instant | undefined {
    return this.#waiting.nextDeadline();
  }

  /** A new request. False where it was refused at once. */
  add(request: RequestId, key: AllocationKey, now: Instant): boolean {
    const waiting = { request, key, deadline: after(now, this.#timeoutMs) };
    if (!isValidKey(key)) this.#fail(waiting, 'bad-key');
    else if (!this.#waiting.add(waiting)) this.#fail(waiting, 'busy');
    else return true;
    return false;
  }

  /** Frees what `key` has: true where it had addresses. Requests that wait for it fail as busy. */
  release(key: AllocationKey): boolean {
    for (const waiting of this.#waiting.take(key)) this.#fail(waiting, 'busy');
    return this.#allocator.release(key);
  }

  /** Answers all that can be answered now, and those whose time is up. */
  answer(standing: AllocationStanding, now: Instant): void {
    const { operational, listening, blocked, poolFull, ownsAll } = standing;
    for (const key of this.#waiting.keys()) {
      const mayAssign = operational && (!listening || this.#allocator.get(key) !== undefined);
      const allocation: Allocation | undefined = mayAssign ? this.#allocator.assign(key) : undefined;
      if (allocation !== undefined) {
        for (const { request } of this.#waiting.take(key))
          this.#emit({ type: 'allocated', request, allocation });
        continue;
      }
      const full = operational && (poolFull || (mayAssign && ownsAll));
      const failure = blocked ?? (full ? 'pool-full' : undefined);
      const failed = failure !== undefined ? this.#waiting.take(key) : this.#waiting.takeLate(key, now);
      for (const waiting of failed) this.#fail(waiting, failure ?? (operational ? 'no-answer' : 'no-ring'));
    }
  }

  #fail({ request, key }: Waiting, reason: AllocateFailure): void {
    this.#emit({ type: 'allocateFailed', request, key, reason });
  }
}

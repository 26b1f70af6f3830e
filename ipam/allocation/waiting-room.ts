import { earliest, type Instant } from '../../base/instant.ts';
import type { AllocationKey, RequestId } from '../model/types.ts';
import { mapKey } from './allocator.ts';

/** Allocations that may wait for a range at the same time. */
const WAITING_LIMIT = 1024;

/** A call of `allocate` that has no answer yet. */
export interface Waiting {
  readonly request: RequestId;
  readonly key: AllocationKey;
  readonly deadline: Instant;
}

/** Allocations that wait for a range, by key: requests for one key get one answer. */
export class WaitingRoom {
  readonly #listByKey = new Map<string, Waiting[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** False where the room is full. */
  add(waiting: Waiting): boolean {
    if (this.#count >= WAITING_LIMIT) return false;
    const list = this.#listByKey.get(mapKey(waiting.key));
    if (list) list.push(waiting);
    else this.#listByKey.set(mapKey(waiting.key), [waiting]);
    this.#count++;
    return true;
  }

  /** The keys for which somebody waits, those first who came first. The room may be changed meanwhile. */
  keys(): AllocationKey[] {
    return [...this.#listByKey.values()].map((list) => list[0]!.key);
  }

  /** Takes out all that wait for `key`. */
  take(key: AllocationKey): Waiting[] {
    const list = this.#listByKey.get(mapKey(key)) ?? [];
    this.#listByKey.delete(mapKey(key));
    this.#count -= list.length;
    return list;
  }

  /** Takes out those for `key` whose time is up. */
  takeLate(key: AllocationKey, now: Instant): Waiting[] {
    const all = this.take(key);
    for (const waiting of all) if (now < waiting.deadline) this.add(waiting);
    return all.filter(({ deadline }) => now >= deadline);
  }

  nextDeadline(): Instant | undefined {
    let next: Instant | undefined;
    for (const list of this.#listByKey.values()) next = earliest(next, list[0]?.deadline);
    return next;
  }
}

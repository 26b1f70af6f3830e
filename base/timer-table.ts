import type { Instant } from './instant.ts';

/**
 * The timers of one state machine, by name. Each is due at a time or stopped, and the machine's next timeout is the
 * earliest of them, so that none is forgotten there.
 *
 * ```ts
 * const timers = new TimerTable<'retry' | 'rekey'>();
 * timers.set('retry', after(now, 5000));
 * if (timers.takeDue('retry', later)) tryAgain();
 * ```
 */
export class TimerTable<Name extends string> {
  readonly #atByName = new Map<Name, Instant>();

  /** Starts the timer, or moves it; undefined stops it. */
  set(name: Name, at: Instant | undefined): void {
    if (at === undefined) this.#atByName.delete(name);
    else this.#atByName.set(name, at);
  }

  /** Starts the timer, or moves it forward to `at`; a timer that is due sooner stays as it is. */
  setNoLater(name: Name, at: Instant): void {
    const before = this.#atByName.get(name);
    if (before === undefined || at < before) this.#atByName.set(name, at);
  }

  stop(...names: readonly Name[]): void {
    for (const name of names) this.#atByName.delete(name);
  }

  /** When the timer is due; undefined while it is stopped. */
  at(name: Name): Instant | undefined {
    return this.#atByName.get(name);
  }

  /** Whether the timer is due. A timer that is due is stopped. */
  takeDue(name: Name, now: Instant): boolean {
    const at = this.#atByName.get(name);
    if (at === undefined || at > now) return false;
    this.#atByName.delete(name);
    return true;
  }

  /** When the first of them is due; undefined while all are stopped. */
  next(): Instant | undefined {
    let first: Instant | undefined;
    for (const at of this.#atByName.values()) if (first === undefined || at < first) first = at;
    return first;
  }
}

/**
 * Named event counts: how often something was dropped, refused or retried, and why.
 * The set of names is closed over literals in the code, so hostile input cannot make it grow.
 */
export class Counters {
  readonly #countByName = new Map<string, number>();

  add(name: string, amount = 1): void {
    this.#countByName.set(name, (this.#countByName.get(name) ?? 0) + amount);
  }

  get(name: string): number {
    return this.#countByName.get(name) ?? 0;
  }

  /** All counts so far, sorted by name. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#countByName].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

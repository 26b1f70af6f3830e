/**
 * Time in the cores: milliseconds on a monotonic clock with an arbitrary zero. It says nothing of the date,
 * so no safety decision can hang on a wall clock. Cores take it as an argument (`now`) and never read a clock.
 */
export type Instant = number & { readonly __brand: 'Instant' };

/** The point `ms` milliseconds after the clock's zero. */
export function instant(ms: number): Instant {
  return ms as Instant;
}

/** `at` moved by `ms` milliseconds (negative moves back). */
export function after(at: Instant, ms: number): Instant {
  return (at + ms) as Instant;
}

/** The earlier of two optional deadlines. */
export function earliest(...deadlines: readonly (Instant | undefined)[]): Instant | undefined {
  let first: Instant | undefined;
  for (const at of deadlines) if (at !== undefined && (first === undefined || at < first)) first = at;
  return first;
}

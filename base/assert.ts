/**
 * Invariants. A broken invariant is a bug of ours, never a peer's fault or the environment's: it crashes.
 * (A peer's fault is a returned {@link Result}, the environment's a thrown {@link WeftError}.)
 */
export class InvariantError extends Error {
  override name = 'InvariantError';
}

/** Throws {@link InvariantError} unless `condition` holds. `message` states what should have been true. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** For the `default` of a switch over a closed union: a compile error when a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}

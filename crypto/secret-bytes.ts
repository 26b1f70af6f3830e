/**
 * Whether `a` and `b` are equal, in a time that depends on their lengths alone. For keys, tags and cookies.
 * (A just-in-time compiler gives no guarantee; this has no data-dependent branch for it to find.)
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/**
 * Overwrites keys with zeros when their time is over. Best effort: a moving garbage collector may have left
 * copies, so this narrows the window rather than closing it.
 */
export function erase(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

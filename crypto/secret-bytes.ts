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
 * `length` zeros for a secret, in memory that is never moved. V8 keeps arrays of up to 64 bytes on its heap: there the
 * garbage collector copies them, and whatever hands one to native code copies it out, and the bytes that stay behind are
 * wiped by nobody.
 */
export function secretBytes(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

/**
 * Overwrites keys with zeros when their time is over. All of it is gone where they came from {@link secretBytes}; of
 * others the garbage collector may have left copies.
 */
export function erase(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

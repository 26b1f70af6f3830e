/** Where the cores get their randomness: the operating system's in the daemon, a seed in the simulator. */
export interface RandomSource {
  /** `length` fresh uniformly random bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
}

/** A uniform integer in [0, bound), 1 ≤ bound ≤ 2^32. Bias below 2^-20. */
export function randomBelow(random: RandomSource, bound: number): number {
  const b = random.bytes(7);
  // 52 random bits, so the modulo's bias stays below 2^-20 for every permitted bound.
  const high = ((b[0]! & 0x0f) << 16) | (b[1]! << 8) | b[2]!;
  const low = ((b[3]! << 24) | (b[4]! << 16) | (b[5]! << 8) | b[6]!) >>> 0;
  return (high * 2 ** 32 + low) % bound;
}

/** A uniform number in [0, 1). */
export function randomUnit(random: RandomSource): number {
  return randomBelow(random, 2 ** 32) / 2 ** 32;
}

/** Shuffles in place (Fisher–Yates) and returns the same array. */
export function shuffle<T>(random: RandomSource, items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

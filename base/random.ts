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

/** A deterministic source for tests and the simulator (sfc32 by Chris Doty-Humphrey). NOT for keys. */
export function seededRandom(seed: number): RandomSource {
  let a = seed >>> 0;
  let b = Math.floor(seed / 2 ** 32) >>> 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const next = (): number => {
    const out = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + out;
    return out >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    bytes(length) {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i += 4) {
        const word = next();
        for (let k = 0; k < 4 && i + k < length; k++) out[i + k] = word >>> (8 * k);
      }
      return out;
    },
  };
}

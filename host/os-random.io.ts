import { randomFillSync } from 'node:crypto';
import type { RandomSource } from '../base/random.ts';

/** The operating system's randomness, fit for keys. */
export const osRandom: RandomSource = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};

/**
 * Hostile inputs, each a pure function of (seed, index): pure noise, and damaged copies of well-formed examples,
 * which get past the first checks of a decoder.
 */
export function fuzzInput(seed: number, index: number, examples: readonly Uint8Array[]): Uint8Array {
  const random = new Noise(seed, index);
  if (examples.length === 0 || random.below(4) === 0) return noise(random);
  let bytes: Uint8Array = examples[random.below(examples.length)]!.slice();
  for (let left = 1 + random.below(6); left > 0; left--) bytes = damage(bytes, random, examples);
  return bytes;
}

/** Bytes of the longest input: more than any frame of the protocol may have. */
export const MAX_INPUT_BYTES = 70_000;

/** Values at which arithmetic on lengths goes wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

function noise(random: Noise): Uint8Array {
  const length = random.below(64) === 0 ? random.below(MAX_INPUT_BYTES) : random.below(1 << random.below(12));
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  return bytes;
}

function damage(bytes: Uint8Array, random: Noise, examples: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(9)) {
    case 0: // cut off
      return bytes.slice(0, at);
    case 1: // cut the head off
      return bytes.slice(at);
    case 2: // longer
      return joined(bytes, noise(random).subarray(0, 300));
    case 3: // something in between
      return joined(bytes.subarray(0, at), noise(random).subarray(0, 16), bytes.subarray(at));
    case 4: // a piece twice
      return joined(bytes.subarray(0, at), bytes.subarray(random.below(at + 1)));
    case 5: // the head of this, the tail of another
      return joined(bytes.subarray(0, at), examples[random.below(examples.length)]!.subarray(at));
    case 6: {
      // an edge value of 1, 2 or 4 bytes, in either order
      const value = EDGES[random.below(EDGES.length)]!;
      const width = 1 << random.below(3);
      const little = random.below(2) === 0;
      for (let i = 0; i < width && at + i < bytes.length; i++) {
        bytes[at + i] = value >>> (8 * (little ? i : width - 1 - i));
      }
      return bytes;
    }
    case 7: // one bit
      if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    default: // one byte
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(
    Math.min(
      parts.reduce((sum, part) => sum + part.length, 0),
      MAX_INPUT_BYTES,
    ),
  );
  let at = 0;
  for (const part of parts) {
    out.set(part.subarray(0, out.length - at), at);
    at += Math.min(part.length, out.length - at);
  }
  return out;
}

/** splitmix32: fast, and seeded per input so that each can be made alone. */
export class Noise {
  #state: number;

  constructor(seed: number, index: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index, 0x85ebca77)) | 0;
  }

  /** An integer in [0, bound), bound at most 2^31. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % bound;
  }
}

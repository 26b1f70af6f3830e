import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { type RandomSource, randomBelow, randomUnit, shuffle } from '../../../base/random.ts';
import { seededRandom } from '../../seeded-random.ts';

/** Chi-squared of counts against equal chances. */
function chiSquared(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('seededRandom', () => {
  it('repeats itself for a seed and differs for another, above 2^32 too', () => {
    for (const seed of [0, 1, 2 ** 32, 2 ** 52 + 1]) {
      deepEqual(seededRandom(seed).bytes(64), seededRandom(seed).bytes(64));
      notDeepEqual(seededRandom(seed).bytes(64), seededRandom(seed + 1).bytes(64));
    }
    notDeepEqual(seededRandom(1).bytes(16), seededRandom(1 + 2 ** 32).bytes(16));
  });

  it('gives as many bytes as are asked for, new ones each time', () => {
    const random = seededRandom(7);
    for (let length = 0; length < 20; length++) equal(random.bytes(length).length, length);
    notDeepEqual(random.bytes(16), random.bytes(16));
  });

  it('gives every byte about equally often', () => {
    const counts = new Array<number>(256).fill(0);
    for (const byte of seededRandom(1).bytes(256 * 400)) counts[byte]!++;
    // 255 degrees of freedom: 350 lies beyond the 99.99th percentile.
    ok(chiSquared(counts) < 350, String(chiSquared(counts)));
  });
});

describe('randomBelow', () => {
  it('stays below its bound, up to 2^32', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
        const value = randomBelow(seededRandom(seed), bound);
        ok(Number.isInteger(value) && value >= 0 && value < bound);
      }),
    );
  });

  it('is right at the ends of its source', () => {
    const constant = (byte: number): RandomSource => ({
      bytes: (length) => new Uint8Array(length).fill(byte),
    });
    equal(randomBelow(constant(0), 10), 0);
    equal(randomBelow(constant(255), 2 ** 32), 2 ** 32 - 1);
    equal(randomBelow(constant(255), 1000), (2 ** 52 - 1) % 1000);
  });

  it('reaches every value about equally often', () => {
    const random = seededRandom(3);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) counts[randomBelow(random, 10)]!++;
    ok(chiSquared(counts) < 34, String(chiSquared(counts))); // 9 degrees, 99.99th percentile
  });
});

describe('randomUnit', () => {
  it('lies in [0, 1) and about the middle on average', () => {
    const random = seededRandom(5);
    let sum = 0;
    for (let i = 0; i < 10_000; i++) {
      const value = randomUnit(random);
      ok(value >= 0 && value < 1);
      sum += value;
    }
    ok(Math.abs(sum / 10_000 - 0.5) < 0.02);
  });
});

describe('shuffle', () => {
  it('keeps every item and returns the same array', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.integer()), (seed, items) => {
        const shuffled = items.slice();
        equal(shuffle(seededRandom(seed), shuffled), shuffled);
        deepEqual(shuffled.toSorted(), items.toSorted());
      }),
    );
  });

  it('gives each order of three about equally often', () => {
    const random = seededRandom(11);
    const countByOrder = new Map<string, number>();
    for (let i = 0; i < 12_000; i++) {
      const order = shuffle(random, ['a', 'b', 'c']).join('');
      countByOrder.set(order, (countByOrder.get(order) ?? 0) + 1);
    }
    equal(countByOrder.size, 6);
    ok(chiSquared([...countByOrder.values()]) < 26); // 5 degrees, 99.99th percentile
  });
});

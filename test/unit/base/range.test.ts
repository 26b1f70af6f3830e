import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { parseAddress } from '../../../base/address.ts';
import {
  compareRanges,
  formatRange,
  intersectRanges,
  parseCidr,
  type Range,
  rangeCidrs,
  rangeContains,
  rangeSize,
  sameRange,
} from '../../../base/range.ts';

/** Small ranges near each other, so that a set of integers can stand for them. */
const smallRange: fc.Arbitrary<Range> = fc
  .tuple(fc.constantFrom(4 as const, 6 as const), fc.nat({ max: 60 }), fc.integer({ min: 1, max: 40 }))
  .map(([family, start, size]) => ({ family, start: BigInt(start), end: BigInt(start + size) }));

function members(range: Range): Set<string> {
  const out = new Set<string>();
  for (let at = range.start; at < range.end; at++) out.add(`${range.family}/${at}`);
  return out;
}

describe('parseCidr', () => {
  const good: readonly [string, string, bigint][] = [
    ['10.32.0.0/12', '10.32.0.0', 2n ** 20n],
    ['0.0.0.0/0', '0.0.0.0', 2n ** 32n],
    ['192.0.2.1/32', '192.0.2.1', 1n],
    ['fd00::/64', 'fd00::', 2n ** 64n],
    ['::/0', '::', 2n ** 128n],
    ['::1/128', '::1', 1n],
  ];
  for (const [text, first, size] of good) {
    it(`reads ${text}`, () => {
      const range = parseCidr(text)!;
      deepEqual({ family: range.family, value: range.start }, parseAddress(first));
      equal(rangeSize(range), size);
      equal(formatRange(range), text);
    });
  }

  const bad = [
    ...[
      '',
      '10.0.0.0',
      '10.0.0.0/',
      '/8',
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0/08',
      '10.0.0.0/+8',
      '10.0.0.0/8/8',
    ],
    ...['10.0.0.1/31', '10.33.0.0/12', 'fd00::1/64', '10.0.0.0/8 ', '10.0.0/8', '10.0.0.0/1e1'],
  ];
  for (const text of bad) it(`refuses '${text}'`, () => equal(parseCidr(text), undefined));
});

describe('rangeCidrs', () => {
  it('gives disjoint blocks in order that make up the range exactly', () => {
    fc.assert(
      fc.property(smallRange, (range) => {
        const blocks = rangeCidrs(range).map((text) => parseCidr(text)!);
        equal(blocks[0]!.start, range.start);
        equal(blocks.at(-1)!.end, range.end);
        for (let i = 1; i < blocks.length; i++) equal(blocks[i]!.start, blocks[i - 1]!.end);
      }),
    );
  });

  it('gives as few as there can be', () => {
    /** The fewest aligned blocks of powers of two from `start` to `end`, by trying all. */
    const fewest = (start: number, end: number): number => {
      const best = new Array<number>(end + 1).fill(Number.POSITIVE_INFINITY);
      best[start] = 0;
      for (let at = start; at < end; at++) {
        for (let size = 1; at % size === 0 && at + size <= end; size *= 2) {
          best[at + size] = Math.min(best[at + size]!, best[at]! + 1);
        }
      }
      return best[end]!;
    };
    fc.assert(
      fc.property(smallRange, (range) => {
        equal(rangeCidrs(range).length, fewest(Number(range.start), Number(range.end)));
      }),
    );
  });

  it('handles the ends of each family', () => {
    deepEqual(rangeCidrs({ family: 4, start: 0n, end: 2n ** 32n }), ['0.0.0.0/0']);
    deepEqual(rangeCidrs({ family: 4, start: 2n ** 32n - 1n, end: 2n ** 32n }), ['255.255.255.255/32']);
    deepEqual(rangeCidrs({ family: 6, start: 0n, end: 2n ** 128n }), ['::/0']);
    equal(rangeCidrs({ family: 6, start: 1n, end: 2n ** 128n }).length, 128);
  });
});

describe('formatRange', () => {
  it('writes a CIDR where it is one, else first and last', () => {
    const start = parseAddress('10.0.0.0')!.value;
    equal(formatRange({ family: 4, start, end: start + 256n }), '10.0.0.0/24');
    equal(formatRange({ family: 4, start, end: start + 10n }), '10.0.0.0-10.0.0.9');
  });
});

describe('ranges against sets of addresses', () => {
  it('contain what the set contains', () => {
    fc.assert(
      fc.property(
        smallRange,
        fc.constantFrom(4 as const, 6 as const),
        fc.nat({ max: 110 }),
        (range, family, value) => {
          const address = { family, value: BigInt(value) };
          equal(rangeContains(range, address), members(range).has(`${family}/${value}`));
        },
      ),
    );
  });

  it('intersect as the sets do, either way round', () => {
    fc.assert(
      fc.property(smallRange, smallRange, (a, b) => {
        const both = intersectRanges(a, b);
        const expected = [...members(a)].filter((each) => members(b).has(each));
        deepEqual(both ? [...members(both)] : [], expected);
        deepEqual(intersectRanges(b, a), both);
      }),
    );
  });

  it('have the size of the set, and order by family, start and end', () => {
    fc.assert(
      fc.property(smallRange, smallRange, (a, b) => {
        equal(rangeSize(a), BigInt(members(a).size));
        equal(compareRanges(a, b) === 0, sameRange(a, b));
        equal(Math.sign(compareRanges(a, b)), -Math.sign(compareRanges(b, a)) + 0);
        if (a.family < b.family) ok(compareRanges(a, b) < 0);
        else if (a.family === b.family && a.start < b.start) ok(compareRanges(a, b) < 0);
        else if (a.family === b.family && a.start === b.start && a.end < b.end) ok(compareRanges(a, b) < 0);
      }),
    );
  });
});

import { deepEqual, equal } from 'node:assert/strict';
import { parseAddress } from '../../../../base/address.ts';
import { randomBelow } from '../../../../base/random.ts';
import { formatRange, type Range } from '../../../../base/range.ts';
import {
  blocksContain,
  mergeBlocks,
  readBlock,
  subtractBlocks,
} from '../../../../npc/model/address-blocks.ts';
import { seededRandom } from '../../../seeded-random.ts';

const block = (text: string): Range => readBlock(text)!;
const shown = (ranges: readonly Range[]): string[] => ranges.map(formatRange);

describe('a block of addresses', () => {
  const cases: readonly [string, string | undefined][] = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['192.0.2.1/32', '192.0.2.1/32'],
    ['010.001.000.000/16', '10.1.0.0/16'],
    ['fd00:1::5/64', 'fd00:1::/64'],
    ['FD00:0001:0::/48', 'fd00:1::/48'],
    ['::/0', '::/0'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:10.0.0.0/95', '::fffe:0:0/95'],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0', undefined],
    ['10.0.0/8', undefined],
    ['fd00::/129', undefined],
    ['fd00::%eth0/64', undefined],
    ['', undefined],
    ['/8', undefined],
  ];
  for (const [text, expected] of cases) {
    it(`${text || 'of nothing'} is ${expected ?? 'none'}`, () => {
      const read = readBlock(text);
      equal(read && formatRange(read), expected);
    });
  }

  it('loses the holes that lie in it', () => {
    deepEqual(shown(subtractBlocks(block('10.0.0.0/30'), [block('10.0.0.1/32')])), [
      '10.0.0.0/32',
      '10.0.0.2/31',
    ]);
    deepEqual(shown(subtractBlocks(block('10.0.0.0/24'), [block('10.0.0.0/8')])), []);
    deepEqual(shown(subtractBlocks(block('10.0.0.0/24'), [block('fd00::/8')])), ['10.0.0.0/24']);
    deepEqual(shown(subtractBlocks(block('::/0'), [block('::/1')])), ['8000::/1']);
  });

  it('is one with those that it overlaps or touches, but never with one of the other family', () => {
    const list = ['10.0.1.0/24', '10.0.0.0/24', '10.0.0.128/25', '10.0.0.0/24', '10.0.4.0/24', 'fd00::/8'];
    deepEqual(shown(mergeBlocks(list.map(block))), ['10.0.0.0/23', '10.0.4.0/24', 'fd00::/8']);
    deepEqual(shown(mergeBlocks([block('::/0'), block('0.0.0.0/0')])), ['0.0.0.0/0', '::/0']);
  });

  it('holds what any of its parts holds, in 2,000 random lists', () => {
    const random = seededRandom(7);
    const below = (bound: number): number => randomBelow(random, bound);
    for (let i = 0; i < 2000; i++) {
      const ranges = Array.from({ length: 1 + below(6) }, () =>
        below(4) === 0
          ? block(`::${below(64)}/${123 + below(6)}`)
          : block(`10.0.0.${below(64)}/${26 + below(7)}`),
      );
      const holes = Array.from({ length: below(4) }, () => block(`10.0.0.${below(64)}/${27 + below(6)}`));
      const merged = mergeBlocks(ranges.flatMap((range) => subtractBlocks(range, holes)));
      for (let j = 0; j < 8; j++) {
        const address = parseAddress(below(4) === 0 ? `::${below(70)}` : `10.0.0.${below(70)}`)!;
        const inside = (range: Range): boolean =>
          range.family === address.family && range.start <= address.value && address.value < range.end;
        equal(blocksContain(merged, address), ranges.some(inside) && !holes.some(inside));
      }
    }
  });
});

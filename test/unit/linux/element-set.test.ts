import { deepEqual, equal } from 'node:assert/strict';
import { randomBelow } from '../../../base/random.ts';
import { ElementSet } from '../../../linux/element-set.ts';
import { seededRandom } from '../../seeded-random.ts';

describe('a set of elements', () => {
  it('holds what a Set holds, and tells what changed, through 300 random changes', () => {
    const random = seededRandom(3);
    const draw = (): string[] =>
      Array.from({ length: randomBelow(random, 6) }, () => `10.0.0.${randomBelow(random, 300)}`);
    let set = ElementSet.EMPTY;
    let expected = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const [added, removed] = [draw(), draw()];
      const next = set.with(added, removed);
      const nextExpected = new Set([...[...expected].filter((each) => !removed.includes(each)), ...added]);
      deepEqual([...next].sort(), [...nextExpected].sort());
      equal(next.size, nextExpected.size);
      const since = next.since(set);
      deepEqual(since.added.sort(), [...nextExpected].filter((each) => !expected.has(each)).sort());
      deepEqual(since.removed.sort(), [...expected].filter((each) => !nextExpected.has(each)).sort());
      deepEqual([...set].sort(), [...expected].sort(), 'the old one stays as it was');
      [set, expected] = [next, nextExpected];
    }
  });

  it('is the same object where nothing changed', () => {
    const set = ElementSet.of(['a', 'b']);
    equal(set.with(['a'], ['c']), set);
    deepEqual(ElementSet.of(['b', 'a']).since(set), { added: [], removed: [] });
  });
});

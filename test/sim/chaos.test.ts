import assert from 'node:assert/strict';
import { runSeed } from './scenario.ts';

const SIZE = 5;
const CHAOS_MS = 60_000;
const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);

describe('a cluster in chaos', function () {
  this.timeout(300_000);

  for (const seed of SEEDS) {
    it(`of seed ${seed} keeps all invariants and comes together again`, () => {
      const { counts } = runSeed(seed, { size: SIZE, chaosMs: CHAOS_MS });
      assert.ok(Object.keys(counts).length > 8, 'chaos of many kinds');
    });
  }

  it('does the same thing to the last byte when a seed is run again, and another with another seed', () => {
    const run = (seed: number): string => runSeed(seed, { size: 3, chaosMs: 20_000 }).trace;
    assert.equal(run(77), run(77));
    assert.notEqual(run(77), run(78));
  });
});

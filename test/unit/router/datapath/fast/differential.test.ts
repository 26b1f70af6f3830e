import { ok } from 'node:assert/strict';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import { FAST_TARGETS } from '../../../../fuzz/fast-targets.ts';
import { fuzzInput, Noise } from '../../../../fuzz/inputs.ts';

const INPUTS = 400;
const SEED = 13;

describe('the fast datapath does to the last byte what the sleeve does', function () {
  this.timeout(60_000);
  before(() => cryptoReady);

  for (const target of FAST_TARGETS) {
    const { name, seeds = [], generate } = target;
    const inputs = generate ? 5 * INPUTS : INPUTS;
    it(`with ${name}, ${generate ? '' : 'sound ones and '}${inputs} that are ${generate ? 'drawn' : 'damaged'}`, () => {
      const carried = seeds.map((seed) => target.run(seed));
      for (let index = 0; index < inputs; index++) {
        const outcome = target.run(generate?.(new Noise(SEED, index)) ?? fuzzInput(SEED, index, seeds));
        if (generate) carried.push(outcome);
      }
      // Were nothing plain, nothing would be compared; were all plain, the rest would not be.
      const byLanes = carried.filter(({ frames, datagrams }) => frames + datagrams > 0).length;
      ok(byLanes >= 2);
      if (generate)
        ok(byLanes > inputs / 10 && byLanes < (inputs * 9) / 10, `${byLanes} of ${inputs} by the lanes`);
    });
  }
});

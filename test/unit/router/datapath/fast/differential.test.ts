import { ok } from 'node:assert/strict';
import { cryptoReady } from '../../../../../crypto/ready.ts';
import { FAST_TARGETS } from '../../../../fuzz/fast-targets.ts';
import { fuzzInput } from '../../../../fuzz/inputs.ts';

const INPUTS = 400;
const SEED = 13;

describe('the fast datapath does to the last byte what the sleeve does', function () {
  this.timeout(60_000);
  before(() => cryptoReady);

  for (const target of FAST_TARGETS) {
    it(`with ${target.name}, sound ones and ${INPUTS} that are damaged`, () => {
      const seeds = target.seeds ?? [];
      const sound = seeds.map((seed) => target.run(seed));
      for (let index = 0; index < INPUTS; index++) target.run(fuzzInput(SEED, index, seeds));
      // Were nothing plain, nothing would be compared.
      ok(sound.filter(({ frames, datagrams }) => frames + datagrams > 0).length >= 2);
    });
  }
});

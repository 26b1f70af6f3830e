import { deepEqual, ok } from 'node:assert/strict';
import { seededRandom } from '../../seeded-random.ts';
import { DISTURBANCES } from './first-packets/disturbance.ts';
import { Trial } from './first-packets/trial.ts';
import { RealApi } from './real-api.ts';

/** As many as there are kinds of them. `npm run test:policy-first-packets` does the same with 200 in all. */
const PODS_AT_A_TIME = 4;

describe('the first packets of pods', function () {
  this.timeout(300_000);
  let trial: Trial;

  before(async function () {
    // npm run test:k8s builds it.
    if (!RealApi.isBuilt) return this.skip();
    trial = await Trial.begin(
      { batch: PODS_AT_A_TIME, pods: PODS_AT_A_TIME * DISTURBANCES.length },
      seededRandom(1),
    );
  });

  after(() => trial?.end());

  for (const disturbance of DISTURBANCES) {
    it(`are judged where weft-npc is ${disturbance.name}, and each pod starts`, async () => {
      const { faults, judged } = await trial.run(disturbance, PODS_AT_A_TIME);
      deepEqual(faults, []);
      ok(judged > 0);
    });
  }
});

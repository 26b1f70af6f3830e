/**
 * `npm run test:policy-first-packets [-- --pods 200] [--seed S]`: pods that send from their first instruction, and are sent
 * to before they exist, start while weft-npc is killed, stopped, replaced, cut off from the API, unable to run nft or
 * flushed away: so many in all, as many for each. No packet may come that must not, each ADD has to be answered, and all
 * that must pass has to come. It needs root and what `tools/lab-build` builds. The last line is "N passed, N failed".
 */

import { parseArgs } from 'node:util';
import { seededRandom } from '../../../seeded-random.ts';
import { RealApi } from '../real-api.ts';
import { DISTURBANCES } from './disturbance.ts';
import { Trial } from './trial.ts';

const SHOWN_FAULTS = 20;

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const [pods, seed] = [Number(values.pods), Number(values.seed)];
if (!(pods >= DISTURBANCES.length && pods <= 1_000 && seed >= 0))
  throw new Error(`--pods is ${DISTURBANCES.length} to 1000, and --seed a number`);
if (!RealApi.isBuilt) throw new Error("there is no kube-apiserver: run 'tools/lab-build' before");

const batch = Math.ceil(pods / DISTURBANCES.length);
console.log(`seed ${seed}, ${batch} pods at a time`);
const trial = await Trial.begin({ batch, pods }, seededRandom(seed));
let passed = 0;
let failed = 0;
try {
  for (const disturbance of DISTURBANCES) {
    const { faults, judged, slowestAddMs, dealtAgain } = await trial.run(disturbance, batch);
    if (faults.length === 0) passed++;
    else failed++;
    const what = `weft-npc ${disturbance.name}: ${batch} pods, ${dealtAgain} with an address of another one before them`;
    console.log(
      `${faults.length === 0 ? 'ok    ' : 'FAILED'} ${what}; ${judged} packets judged, the slowest ADD ${slowestAddMs} ms`,
    );
    for (const fault of faults.slice(0, SHOWN_FAULTS)) console.log(`       ${fault}`);
  }
} finally {
  await trial.end();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

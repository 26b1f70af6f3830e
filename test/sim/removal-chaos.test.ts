import assert from 'node:assert/strict';
import { parseCidr } from '../../base/range.ts';
import { Chaos, converge } from './chaos.ts';
import { CONVERGE_LIMIT_MS, givePods, watchRings } from './scenario.ts';
import { Simulation } from './simulation.ts';

const NODES = 6;
const ROUNDS = 8;
const ROUND_MS = 8_000;
/** So few addresses that those of removed peers are soon given out again. */
const SMALL = [parseCidr('10.32.0.0/24')!, parseCidr('fd00:77::/64')!];

/** Chaos with lost disks, in which operators remove whoever seems gone, whether or not it is. Returns removals. */
function storm(seed: number): number {
  const sim = new Simulation(seed);
  const nodes = Array.from({ length: NODES }, (_, i) =>
    sim.add({
      ipam: {
        ranges: SMALL,
        safeWaitMs: 3_000,
        ...(i === 0 ? { init: { mode: 'seed' }, seedWaitMs: 1_500 } : {}),
      },
    }),
  );
  for (const node of nodes) node.setSeeds(nodes.slice(0, 2).map(({ host }) => host.published));
  const oneRing = watchRings(sim, nodes);
  let removed = 0;
  sim.invariants.listen((_node, out) => {
    if (out.type === 'removed') removed++;
  });
  for (const node of nodes) node.start();
  sim.run(5_000);
  const chaos = new Chaos(sim, nodes, { mayLoseDisk: (node) => node !== nodes[0] });
  for (let round = 0; round < ROUNDS; round++) {
    chaos.rage(ROUND_MS);
    for (const peer of chaos.gone) sim.pick(nodes)!.removePeer(peer);
  }
  chaos.calm();
  sim.run(5_000);
  for (const peer of chaos.gone) nodes[0]!.removePeer(peer);
  sim.run(20_000);
  converge(sim, nodes, { limitMs: CONVERGE_LIMIT_MS, gone: chaos.gone });
  oneRing();
  givePods(sim, nodes);
  return removed;
}

describe('removals in a storm', function () {
  this.timeout(300_000);

  it('never give an address to two, and end with one ring', () => {
    let removed = 0;
    for (const seed of [17, 18, 21]) removed += storm(seed);
    assert.ok(removed > 0, 'somebody was removed');
  });
});

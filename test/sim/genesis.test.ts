import { randomBelow } from '../../base/random.ts';
import { seededRandom } from '../seeded-random.ts';
import { converge } from './chaos.ts';
import { CONVERGE_LIMIT_MS, givePods, watchRings } from './scenario.ts';
import { Simulation } from './simulation.ts';
import { FAIR_WEATHER } from './virtual-network.ts';
import type { VirtualNode } from './virtual-node.ts';

/** How long the vote is disturbed. */
const DISTURBED_MS = 12_000;

/** Electors `a`, `b`, `c` (and on) that vote, and observers that wait for them. */
function electorate(sim: Simulation, electors: number, observers: number): VirtualNode[] {
  const names = Array.from({ length: electors }, (_, i) => Simulation.nameOf(i + 1));
  const nodes = Array.from({ length: electors + observers }, (_, i) =>
    sim.add({
      ipam: { init: i < electors ? { mode: 'consensus', electorate: names } : { mode: 'observer' } },
    }),
  );
  for (const node of nodes) node.setSeeds(nodes.map(({ host }) => host.published));
  return nodes;
}

describe('the genesis of the ring', function () {
  this.timeout(300_000);

  it('waits for a majority of the electorate, whoever else is there', () => {
    const sim = new Simulation(1);
    const [a, b, c, ...observers] = electorate(sim, 3, 3) as [VirtualNode, VirtualNode, VirtualNode];
    const nodes = [a, b, c, ...observers];
    for (const node of [a, ...observers]) node.start();
    sim.run(30_000);
    for (const node of [a, ...observers])
      if (node.core?.ipam.status().ring !== undefined) sim.invariants.fail(`${node.name} made a ring alone`);
    b.start();
    converge(sim, [a, b, ...observers], { limitMs: 10_000 });
    c.start();
    converge(sim, nodes, { limitMs: 10_000 });
    givePods(sim, nodes);
  });

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`is one, with partitions, kills and power losses during the vote (seed ${seed})`, () => {
      const sim = new Simulation(seed);
      const random = seededRandom(1000 + seed);
      const nodes = electorate(sim, 3 + 2 * (seed % 2), 2);
      const oneRing = watchRings(sim, nodes);
      sim.network.weather = { loss: 0.1, duplicate: 0.05, reorder: 0.1, delayMs: 20, jitterMs: 60 };
      const end = sim.queue.now + DISTURBED_MS;
      while (sim.queue.now < end) {
        const node = nodes[randomBelow(random, nodes.length)]!;
        switch (randomBelow(random, 6)) {
          case 0:
            node.kill({ power: randomBelow(random, 2) === 0 });
            break;
          case 1:
            node.store.full = !node.store.full;
            break;
          case 2:
            sim.partition(
              new Set(sim.sample(nodes, 1 + randomBelow(random, nodes.length - 1)).map(({ host }) => host)),
            );
            break;
          case 3:
            sim.heal();
            break;
          default:
            node.start();
        }
        sim.run(20 + randomBelow(random, 400));
      }
      sim.heal();
      sim.network.weather = { ...FAIR_WEATHER };
      for (const node of nodes) {
        node.store.full = false;
        node.start();
      }
      converge(sim, nodes, { limitMs: CONVERGE_LIMIT_MS });
      oneRing();
      givePods(sim, nodes);
    });
  }

  it('is seen by an elector who lost its disk, though it has no vote any more', () => {
    const sim = new Simulation(9);
    const nodes = electorate(sim, 3, 1);
    const oneRing = watchRings(sim, nodes);
    for (const node of nodes) node.start();
    converge(sim, nodes, { limitMs: 10_000 });
    const third = nodes[2]!;
    const gone = third.peer;
    third.kill({ power: true });
    third.loseDisk();
    third.start();
    converge(sim, nodes, { limitMs: CONVERGE_LIMIT_MS, gone: [gone] });
    oneRing();
    givePods(sim, nodes);
  });
});

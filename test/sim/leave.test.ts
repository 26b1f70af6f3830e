import assert from 'node:assert/strict';
import { leaveRing } from '../../node/leave-ring.ts';
import { converge } from './chaos.ts';
import { CONVERGE_LIMIT_MS, givePods } from './scenario.ts';
import { Simulation } from './simulation.ts';
import type { VirtualNode } from './virtual-node.ts';

describe('a node that leaves', function () {
  this.timeout(300_000);

  it('gives its range to the others before it is gone, and takes a new one when it comes back', () => {
    const sim = new Simulation(41);
    const nodes = Array.from({ length: 4 }, (_, i) =>
      sim.add(i === 0 ? { ipam: { init: { mode: 'seed' }, seedWaitMs: 0 } } : {}),
    );
    for (const node of nodes) node.setSeeds([nodes[0]!.host.published]);
    for (const node of nodes) node.start();
    converge(sim, nodes, { limitMs: CONVERGE_LIMIT_MS });
    const [a, b, c, d] = nodes as [VirtualNode, VirtualNode, VirtualNode, VirtualNode];
    for (const node of [d, c]) {
      const before = node.core!.ipam.rangesOf(node.peer);
      assert.ok(before.length > 0);
      node.do((core, now) => assert.equal(leaveRing(core, now), undefined));
      // The process ends a moment later, as the daemon does.
      sim.run(100);
      node.kill();
      const moved = (): boolean =>
        [a, b].every(({ core }) => core!.ipam.owners().every(({ owner }) => owner !== node.peer));
      assert.notEqual(sim.runUntil(moved, 5_000), undefined, 'all that it owned is the others');
    }
    assert.deepEqual(a.core!.ipam.owners(), b.core!.ipam.owners());
    givePods(sim, [a, b]);
    d.start();
    converge(sim, [a, b, d], { limitMs: CONVERGE_LIMIT_MS });
    givePods(sim, [a, b, d]);
  });
});

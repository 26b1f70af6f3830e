import assert from 'node:assert/strict';
import { Simulation } from './simulation.ts';
import type { VirtualNode } from './virtual-node.ts';

describe('a node whose UDP is blocked', function () {
  this.timeout(300_000);

  it('gets a range, and an address of its own, over its control links', () => {
    const sim = new Simulation(51);
    const nodes = Array.from({ length: 4 }, (_, i) =>
      sim.add(i === 0 ? { ipam: { init: { mode: 'seed' }, seedWaitMs: 0 } } : {}),
    );
    for (const node of nodes) node.setSeeds([nodes[0]!.host.published]);
    const [blocked, ...others] = [...nodes].reverse() as [VirtualNode, ...VirtualNode[]];
    sim.network.withoutUdp.add(blocked.host);
    for (const node of others) node.start();
    blocked.start();
    const served = (): boolean => nodes.every(({ core }) => core!.ownAddresses.length > 0);
    assert.notEqual(sim.runUntil(served, 10_000), undefined);
    assert.ok(blocked.core!.ipam.status().ranges.length > 0);
  });
});

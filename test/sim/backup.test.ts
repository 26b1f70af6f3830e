import assert from 'node:assert/strict';
import { Simulation } from './simulation.ts';
import { VirtualStore } from './virtual-store.ts';

describe('a state folder restored from a backup', function () {
  this.timeout(300_000);

  it('is noticed, though its node has started no more often than its former self: what was granted since stays granted', () => {
    const sim = new Simulation(41);
    const nodes = sim.form(3);
    sim.run(5_000);
    const seed = nodes[0]!;
    // A backup of a running node: the count of its starts is that of the run which went on.
    const [backup, epoch] = [seed.store.backup(), seed.epoch];
    const late = sim.add({});
    late.setSeeds([seed.host.published]);
    late.start();
    late.addPod('pod');
    assert.notEqual(
      sim.runUntil(() => late.podByContainer.has('pod'), 10_000),
      undefined,
    );
    sim.run(2_000);
    const owned = late.core!.ipam.status().ranges;
    seed.kill({ power: true });
    const disk = new VirtualStore();
    disk.onAllocations = seed.store.onAllocations;
    for (const [key, value] of backup) disk.put(key, value);
    seed.store = disk;
    seed.epoch = epoch;
    sim.run(1_000);
    seed.reboot();
    seed.start();
    sim.run(10_000);
    assert.deepEqual(
      seed.core!.ipam.status().faults.map(({ code }) => code),
      ['E_RING_ROLLBACK'],
    );
    // Nor do the others forget it when they start anew.
    for (const node of [...nodes.slice(1), late]) node.kill();
    for (const node of [...nodes.slice(1), late]) node.start();
    sim.run(10_000);
    assert.deepEqual(late.core!.ipam.status().ranges, owned);
    assert.deepEqual(late.core!.ipam.status().orphaned, []);
  });
});

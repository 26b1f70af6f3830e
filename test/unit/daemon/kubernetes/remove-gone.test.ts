import assert from 'node:assert/strict';
import { removeGone } from '../../../../daemon/kubernetes/remove-gone.ts';
import { leaveRing } from '../../../../node/leave-ring.ts';
import { converge } from '../../../sim/chaos.ts';
import { CONVERGE_LIMIT_MS } from '../../../sim/scenario.ts';
import { Simulation } from '../../../sim/simulation.ts';
import type { VirtualNode } from '../../../sim/virtual-node.ts';

describe('a node that is deleted from Kubernetes', function () {
  this.timeout(300_000);
  let sim: Simulation;
  let nodes: VirtualNode[];

  beforeEach(() => {
    sim = new Simulation(43);
    nodes = Array.from({ length: 4 }, (_, i) =>
      sim.add(i === 0 ? { ipam: { init: { mode: 'seed' }, seedWaitMs: 0, safeWaitMs: 60_000 } } : {}),
    );
    for (const node of nodes) node.setSeeds([nodes[0]!.host.published]);
    for (const node of nodes) node.start();
    converge(sim, nodes, { limitMs: CONVERGE_LIMIT_MS });
  });

  const knows = (node: VirtualNode, other: VirtualNode): boolean =>
    node.core!.gossip.members().some(({ peer }) => peer === other.peer);
  const stateAt = (node: VirtualNode, other: VirtualNode): string | undefined =>
    node.core!.gossip.members().find(({ peer }) => peer === other.peer)?.state;
  /** What the caretaker does every few seconds, where the API has the nodes of `present`. */
  const care = (caretaker: VirtualNode, present: readonly VirtualNode[]): void =>
    caretaker.do((core, now) =>
      removeGone(core, {
        ownName: caretaker.name,
        nodeNames: new Set(present.map(({ name }) => name)),
        settled: true,
        now,
      }),
    );

  it('is forgotten by all where it owns nothing of the ring', () => {
    const [a, b, c, d] = nodes as [VirtualNode, VirtualNode, VirtualNode, VirtualNode];
    const others = [a, b, c];
    d.do((core, now) => assert.equal(leaveRing(core, now), undefined));
    sim.run(100);
    d.kill();
    const moved = (): boolean =>
      others.every(({ core }) => core!.ipam.owners().every(({ owner }) => owner !== d.peer));
    assert.notEqual(sim.runUntil(moved, 5_000), undefined, 'it owns nothing');
    care(a, nodes);
    sim.run(5_000);
    assert.ok(
      others.every((node) => knows(node, d)),
      'its node is there: it may come back',
    );
    care(a, others);
    const forgotten = (): boolean => others.every((node) => !knows(node, d));
    assert.notEqual(sim.runUntil(forgotten, 5_000), undefined, 'nobody knows it');
    assert.deepEqual(a.core!.ipam.status().pending.removals, []);
  });

  it('is removed from the ring, and not forgotten before that, where it owns a part of it', () => {
    const [a, b, c, d] = nodes as [VirtualNode, VirtualNode, VirtualNode, VirtualNode];
    d.kill();
    assert.notEqual(
      sim.runUntil(() => stateAt(a, d) === 'dead', 120_000),
      undefined,
      'it is seen dead',
    );
    care(a, [a, b, c]);
    assert.ok(knows(a, d));
    const removals = a.core!.ipam.status().pending.removals.map(({ peer }) => peer);
    assert.deepEqual(removals, [d.peer]);
    care(a, [a, b, c]);
    assert.equal(a.core!.ipam.status().pending.removals.length, 1, 'it is under way already');
  });
});

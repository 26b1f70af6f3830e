import assert from 'node:assert/strict';
import { parseEndpoint } from '../../base/endpoint.ts';
import { NODE_KEY } from '../../ipam/model/types.ts';
import { Simulation } from './simulation.ts';
import type { VirtualNode } from './virtual-node.ts';

/** Sends packets from `a` to `b` until one arrives: whether that was so within `ms`. */
function reaches(sim: Simulation, a: VirtualNode, b: VirtualNode, ms: number): boolean {
  const before = sim.invariants.count.delivered;
  let tries = 0;
  return (
    sim.runUntil(() => {
      if (tries++ % 10 === 0) sim.send(a, NODE_KEY.containerId, b, NODE_KEY.containerId);
      return sim.invariants.count.delivered > before;
    }, ms) !== undefined
  );
}

const established = (a: VirtualNode, b: VirtualNode): boolean =>
  a.core!.tunnels.status(b.peer)?.state === 'established';
const path = (a: VirtualNode, b: VirtualNode): string | undefined => {
  const way = a.core!.tunnels.status(b.peer)?.path;
  return way?.kind === 'direct' ? way.endpoint : way?.kind;
};
const addressed = (nodes: readonly VirtualNode[]): boolean =>
  nodes.every(({ core }) => (core?.ownAddresses.length ?? 0) > 0);

describe('nodes in a network that is not as they think', function () {
  this.timeout(300_000);

  for (const [what, cut] of [
    ['UDP is blocked between two', ['there', 'back']],
    ['UDP gets through between two in one direction alone', ['there']],
    ['UDP gets through between two in the other direction alone', ['back']],
  ] as const) {
    it(`reach each other over a third where ${what} and TCP works`, () => {
      const sim = new Simulation(61);
      const nodes = Array.from({ length: 3 }, (_, i) =>
        sim.add(i === 0 ? { ipam: { init: { mode: 'seed' }, seedWaitMs: 0 } } : {}),
      );
      const [c, a, b] = nodes as [VirtualNode, VirtualNode, VirtualNode];
      if (cut.some((way) => way === 'there')) sim.network.cutDatagrams(a.host, b.host);
      if (cut.some((way) => way === 'back')) sim.network.cutDatagrams(b.host, a.host);
      for (const node of nodes) node.setSeeds([c.host.published]);
      for (const node of nodes) node.start();
      assert.notEqual(
        sim.runUntil(() => addressed(nodes), 20_000),
        undefined,
      );
      const took = sim.runUntil(() => established(a, b) && established(b, a), 30_000);
      assert.ok(took !== undefined && took < 15_000, `${took} ms`);
      sim.run(5_000);
      assert.ok(path(a, b) === 'relay' || path(b, a) === 'relay', `${path(a, b)} ${path(b, a)}`);
      assert.ok(
        a.core!.gossip.links().some(({ peer }) => peer === b.peer),
        'TCP works',
      );
      assert.ok(reaches(sim, a, b, 5_000) && reaches(sim, b, a, 5_000));
    });
  }

  it('form a mesh though most of their addresses lead nowhere', () => {
    const sim = new Simulation(62);
    // Bridges of containers, the same on each host, before the address that leads somewhere.
    const bridges = Array.from({ length: 20 }, (_, i) => parseEndpoint(`172.${17 + i}.0.1:6783`)!);
    const nodes = sim.form(4, { endpoints: (published) => [...bridges, published] });
    const took = sim.runUntil(
      () =>
        addressed(nodes) &&
        nodes.every((a) =>
          nodes.every((b) => a === b || (established(a, b) && path(a, b) === b.host.published)),
        ),
      60_000,
    );
    assert.ok(took !== undefined && took < 20_000, `${took} ms`);
    for (const node of nodes) {
      for (const other of nodes) {
        if (node === other) continue;
        const { endpoints } = node.core!.infoOf(other.peer)!;
        assert.equal(endpoints[0], other.host.published, 'the one that is known to work comes first');
        assert.ok(endpoints.length <= 16);
      }
    }
  });

  it('are known to their peers whatever the MTU of an interface is', () => {
    const sim = new Simulation(63);
    const nodes = sim.form(2, { underlayMtu: 65_536 }); // as `lo` has it
    const [a, b] = nodes as [VirtualNode, VirtualNode];
    assert.notEqual(
      sim.runUntil(() => addressed(nodes) && established(a, b), 20_000),
      undefined,
    );
    assert.equal(b.core!.infoOf(a.peer)?.mtu, 65_535);
  });

  it('move with a node that changes its address, and forget the old one', () => {
    const sim = new Simulation(64);
    const nodes = sim.form(4);
    const [a, ...others] = nodes as [VirtualNode, ...VirtualNode[]];
    assert.notEqual(
      sim.runUntil(
        () => addressed(nodes) && others.every((b) => established(a, b) && established(b, a)),
        20_000,
      ),
      undefined,
    );
    sim.run(10_000);
    sim.network.readdress(a.host);
    sim.tcp.breakAll(a.host);
    a.setEndpoints([a.host.published]);
    const took = sim.runUntil(
      () =>
        others.every((b) => path(b, a) === a.host.published && established(b, a)) &&
        others.every((b) => b.core!.infoOf(a.peer)!.endpoints.join() === a.host.published),
      60_000,
    );
    assert.ok(took !== undefined && took < 10_000, `${took} ms`);
    for (const b of others) assert.ok(reaches(sim, a, b, 3_000) && reaches(sim, b, a, 3_000));
  });
});

import assert from 'node:assert/strict';
import { formatAddress } from '../../base/address.ts';
import { parseCidr } from '../../base/range.ts';
import type { NodeOutput } from '../../node/node-types.ts';
import { converge } from './chaos.ts';
import { podFrame } from './pod-packets.ts';
import { Simulation } from './simulation.ts';
import type { VirtualNode } from './virtual-node.ts';

const SAFE_WAIT_MS = 5_000;
/** So few addresses that those of a removed node are soon given out again. */
const SMALL = [parseCidr('10.32.0.0/26')!];
const PODS = 4;

/** Five nodes on 64 addresses; the last one holds pods. */
function cluster(sim: Simulation): { nodes: VirtualNode[]; victim: VirtualNode } {
  const nodes = Array.from({ length: 5 }, (_, i) =>
    sim.add({
      ipam: {
        ranges: SMALL,
        safeWaitMs: SAFE_WAIT_MS,
        ...(i === 0 ? { init: { mode: 'seed' }, seedWaitMs: 0 } : {}),
      },
    }),
  );
  for (const node of nodes) node.setSeeds([nodes[0]!.host.published]);
  for (const node of nodes) node.start();
  const owned = (): boolean => nodes.every(({ core }) => core!.ownAddresses.length === 1);
  assert.notEqual(sim.runUntil(owned, 5_000), undefined);
  const victim = nodes[4]!;
  for (let i = 0; i < PODS; i++) victim.addPod(`old${i}`);
  assert.notEqual(
    sim.runUntil(() => victim.podByContainer.size === PODS, 3_000),
    undefined,
  );
  return { nodes, victim };
}

/** Has `heir` remove `peer`, and waits for the outcome. */
function remove(sim: Simulation, heir: VirtualNode, victim: VirtualNode): NodeOutput['type'] | undefined {
  let outcome: NodeOutput['type'] | undefined;
  sim.invariants.listen((node, out) => {
    if (node === heir && (out.type === 'removed' || out.type === 'removeFailed')) outcome = out.type;
  });
  heir.removePeer(victim.peer);
  sim.runUntil(() => outcome !== undefined, SAFE_WAIT_MS + 30_000);
  return outcome;
}

/** Attaches pods everywhere until an address of `addresses` is given out again: by whom, and to what. */
function reuse(
  sim: Simulation,
  nodes: readonly VirtualNode[],
  addresses: ReadonlySet<string>,
): { node: VirtualNode; container: string } {
  for (let i = 0; i < 64; i++) {
    for (const node of nodes) {
      node.addPod(`new${i}`);
      sim.run(20);
    }
    for (const node of nodes)
      for (const [container, held] of node.podByContainer)
        if (held.some((address) => addresses.has(formatAddress(address)))) return { node, container };
  }
  return assert.fail('the address of a removed node is never used again');
}

describe('a removed peer', function () {
  this.timeout(300_000);

  it('that owned nothing loses its tunnel all the same', () => {
    const sim = new Simulation(37);
    // Room for four nodes' own addresses: the fifth joins the ring and gets none of it.
    const nodes = Array.from({ length: 5 }, (_, i) =>
      sim.add({
        ipam: {
          ranges: [parseCidr('10.32.0.0/29')!],
          safeWaitMs: SAFE_WAIT_MS,
          ...(i === 0 ? { init: { mode: 'seed' }, seedWaitMs: 0 } : {}),
        },
      }),
    );
    for (const node of nodes) node.setSeeds([nodes[0]!.host.published]);
    const [victim, others] = [nodes[4]!, nodes.slice(0, 4)];
    for (const node of others) node.start();
    assert.notEqual(
      sim.runUntil(() => others.every(({ core }) => core!.ownAddresses.length === 1), 10_000),
      undefined,
    );
    for (const node of others) for (let i = 0; i < 4; i++) node.addPod(`all${i}`);
    sim.run(5_000);
    victim.start();
    sim.run(10_000);
    const owners = others[1]!.core!.ipam.owners();
    assert.equal(
      owners.some(({ owner }) => owner === victim.peer),
      false,
      'it owns nothing',
    );
    assert.ok(others[2]!.core!.tunnels.peers.includes(victim.peer));
    victim.kill({ power: true });
    sim.run(30_000);
    assert.equal(remove(sim, others[1]!, victim), 'removed');
    sim.run(5_000);
    for (const { core, name } of others)
      assert.equal(core!.tunnels.peers.includes(victim.peer), false, `${name} keeps no tunnel to it`);
  });

  for (const [what, power] of [
    ['dead', true],
    ['alive behind a partition', false],
  ] as const) {
    it(`that was ${what} finds itself removed when it returns, and its addresses where they are now`, () => {
      const sim = new Simulation(31);
      const { nodes, victim } = cluster(sim);
      const others = nodes.slice(0, 4);
      const [heir, asker] = [others[1]!, others[2]!];
      const [[oldPod, [oldAddress]]] = [...victim.podByContainer] as [[string, [never]]];
      const old = new Set([...victim.podByContainer.values()].flat().map(formatAddress));
      if (power) victim.kill({ power: true });
      else sim.partition(new Set([victim.host]));
      const dead = (): boolean =>
        others.every(({ core }) =>
          core!.gossip.members().some(({ peer, state }) => peer === victim.peer && state === 'dead'),
        );
      assert.notEqual(sim.runUntil(dead, 30_000), undefined);
      assert.equal(remove(sim, heir, victim), 'removed');
      const again = reuse(sim, others, old);

      // Back from the dead, its process and its pods as they were: kill() leaves what CNI has set up.
      if (power) victim.start();
      else sim.heal();
      const removed = (): boolean => victim.core!.ipam.status().state === 'removed';
      const before = sim.queue.now;
      assert.notEqual(sim.runUntil(removed, 10_000, 10), undefined, 'removed');
      assert.ok(sim.queue.now - before < 10_000);

      // It gives out nothing more, even of what it once owned.
      victim.addPod('late');
      sim.run(12_000);
      assert.equal(victim.podByContainer.has('late'), false);

      // The address leads to whoever has it now, from everywhere, and the old pod's packets lead nowhere.
      const target = again.node.podByContainer.get(again.container)![0]!;
      for (const from of others) {
        if (from === again.node) continue;
        const source = from.core!.ownAddresses[0]!;
        const id = sim.invariants.sending(from, source, target);
        from.sendPacket(podFrame(source, target, sim.invariants.canary, id));
        sim.run(500);
        assert.ok(sim.invariants.hasArrived(id), `${from.name} reaches the address`);
      }
      for (const to of others) {
        const destination = to.core!.ownAddresses[0]!;
        const id = sim.invariants.sending(victim, oldAddress, destination, true);
        victim.sendPacket(podFrame(oldAddress, destination, sim.invariants.canary, id));
      }
      sim.run(2_000);
      assert.ok(oldPod !== undefined && asker.running);
    });
  }

  it('hears of it before it gives out an address, across the world too', () => {
    const sim = new Simulation(34);
    sim.network.weather = { loss: 0, duplicate: 0, reorder: 0, delayMs: 150, jitterMs: 10 };
    const { nodes, victim } = cluster(sim);
    victim.kill({ power: true });
    sim.run(40_000);
    assert.equal(remove(sim, nodes[1]!, victim), 'removed');
    victim.start();
    victim.addPod('eager');
    assert.notEqual(
      sim.runUntil(() => victim.core!.ipam.status().state === 'removed', 10_000, 10),
      undefined,
    );
    assert.equal(victim.podByContainer.has('eager'), false);
  });

  it('is not removed while it is alive, nor by a minority', () => {
    const sim = new Simulation(32);
    const { nodes, victim } = cluster(sim);
    assert.equal(remove(sim, nodes[1]!, victim), 'removeFailed');
    // Two of five part from the rest and think that the rest is dead.
    const minority = nodes.slice(0, 2);
    sim.partition(new Set(minority.map(({ host }) => host)));
    sim.run(40_000);
    assert.equal(remove(sim, minority[0]!, victim), 'removeFailed');
    sim.heal();
    sim.run(15_000);
    assert.equal(victim.core!.ipam.status().state, 'ready');
  });

  it('leaves room: with it gone the others converge and reach each other', () => {
    const sim = new Simulation(33);
    const nodes = sim.form(4, { ipam: { safeWaitMs: SAFE_WAIT_MS } });
    sim.run(3_000);
    const victim = nodes[3]!;
    victim.kill({ power: true });
    sim.run(20_000);
    assert.equal(remove(sim, nodes[0]!, victim), 'removed');
    converge(sim, nodes.slice(0, 3), { limitMs: 10_000, gone: [victim.peer] });
  });
});

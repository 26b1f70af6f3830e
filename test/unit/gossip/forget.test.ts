import assert from 'node:assert/strict';
import { randomBelow } from '../../../base/random.ts';
import { seededRandom } from '../../seeded-random.ts';
import { GossipNetwork, type SimNode } from '../../sim/gossip-network.ts';

/** Five nodes that know each other, and the last of them as the one to be forgotten. */
function cluster(seed: number): { net: GossipNetwork; nodes: SimNode[]; victim: SimNode } {
  const net = new GossipNetwork({ nodes: 5, seed, loss: 0.05 });
  for (const node of net.nodes) net.start(node, node.index === 0 ? [] : [net.nodes[0]!.endpoint]);
  net.run(10_000);
  assert.ok(net.agreed());
  return { net, nodes: net.nodes.slice(0, 4), victim: net.nodes[4]! };
}

const knows = (node: SimNode, other: SimNode): boolean =>
  node.gossip!.members().some(({ peer }) => peer === other.id);

function forget(net: GossipNetwork, by: SimNode, whom: SimNode): string | undefined {
  let answer: string | undefined;
  net.act(by, (gossip, now) => {
    answer = gossip.forgetPeer(whom.id, now);
  });
  return answer;
}

function assertWithin(net: GossipNetwork, limitMs: number, what: string, done: () => boolean): void {
  assert.notEqual(net.runUntil(limitMs, done), undefined, what);
}

describe('gossip: a peer that is to be forgotten', () => {
  it('is not, while it lives; nor one that nobody knows', () => {
    const { net, nodes, victim } = cluster(1);
    assert.equal(forget(net, nodes[1]!, victim), 'present');
    assert.equal(forget(net, nodes[1]!, nodes[1]!), 'unknown');
    assert.ok(nodes.every((node) => knows(node, victim)));
  });

  it('is forgotten by all, and a node that was away does not bring it back, nor a restart of all', () => {
    const { net, nodes, victim } = cluster(2);
    const [first, second, third, away] = nodes as [SimNode, SimNode, SimNode, SimNode];
    net.kill(away);
    net.kill(victim);
    net.run(60_000);
    assert.equal(forget(net, second, victim), undefined);
    const here = [first, second, third];
    assertWithin(net, 5_000, 'forgotten', () => here.every((node) => !knows(node, victim)));
    assert.ok(away.disk.has(`${victim.id}/node`));

    net.start(away);
    assertWithin(net, 10_000, 'forgotten by who was away', () => !knows(away, victim));
    net.run(120_000);
    assert.ok(nodes.every((node) => !knows(node, victim) && !node.disk.has(`${victim.id}/node`)));

    for (const node of nodes) net.kill(node);
    for (const node of nodes) net.start(node);
    net.run(30_000);
    assert.ok(net.agreed(nodes));
    assert.ok(nodes.every((node) => !knows(node, victim)));
    const dialledSince = net.now;
    net.run(120_000);
    const dials = net.dials.filter(({ at, endpoint }) => at >= dialledSince && endpoint === victim.endpoint);
    assert.deepEqual(dials, [], 'nobody looks for it');
  });

  it('is back when it starts again', () => {
    const { net, nodes, victim } = cluster(3);
    net.kill(victim);
    net.run(60_000);
    forget(net, nodes[0]!, victim);
    assertWithin(net, 5_000, 'forgotten', () => nodes.every((node) => !knows(node, victim)));
    net.start(victim);
    assertWithin(net, 10_000, 'back', () => net.agreed());
  });

  it('is back by itself when it had only been cut off', () => {
    const { net, nodes, victim } = cluster(4);
    net.partition((node) => Number(node === victim));
    net.run(60_000);
    assert.equal(forget(net, nodes[0]!, victim), undefined);
    assertWithin(net, 5_000, 'forgotten', () => nodes.every((node) => !knows(node, victim)));
    net.run(30_000);
    net.heal();
    assertWithin(net, 60_000, 'back', () => net.agreed());
  });

  it('stays among all where one still reaches it, and is back with those who do not once it has heard', () => {
    const { net, nodes, victim } = cluster(5);
    const [first, , , friend] = nodes as [SimNode, SimNode, SimNode, SimNode];
    const side = (node: SimNode): number => Number(node === victim || node === friend);
    net.partition(side);
    net.run(60_000);
    forget(net, first, victim);
    net.run(5_000);
    net.heal();
    assertWithin(net, 60_000, 'back', () => net.agreed());
  });

  it('that said goodbye is not dialled for ever by a node that is alone', () => {
    const net = new GossipNetwork({ nodes: 2, seed: 6 });
    const [stays, leaves] = net.nodes as [SimNode, SimNode];
    net.start(stays);
    net.start(leaves, [stays.endpoint]);
    net.run(5_000);
    net.act(leaves, (gossip, now) => gossip.leave(now));
    net.kill(leaves);
    net.run(60_000);
    const dialsSince = (from: number) => net.dials.filter((dial) => dial.at >= from && dial.from === stays);
    assert.ok(dialsSince(30_000).length > 0, 'for a while it is: it may be a restart');
    net.run(600_000);
    const quietSince = net.now;
    net.run(600_000);
    assert.deepEqual(dialsSince(quietSince), []);
    net.start(leaves);
    assertWithin(net, 10_000, 'back', () => net.agreed());
  });

  for (const seed of [1, 2, 3, 4, 5])
    it(`lives with all others again, whatever was forgotten, cut off and killed before (seed ${seed})`, () => {
      const { net } = cluster(seed);
      const random = seededRandom(seed);
      const any = (): SimNode => net.nodes[randomBelow(random, net.nodes.length)]!;
      const start = (node: SimNode): void =>
        net.start(node, [net.nodes[0]!.endpoint, net.nodes[3]!.endpoint]);
      const blows: (() => void)[] = [
        () => net.kill(any()),
        () => net.nodes.filter(({ gossip }) => gossip === undefined).forEach(start),
        () => {
          const last = any().index;
          net.partition(({ index }) => Number(index <= last));
        },
        () => net.heal(),
        () => void forget(net, any(), any()),
        () => void forget(net, any(), any()),
      ];
      for (let step = 0; step < 40; step++) {
        blows[randomBelow(random, blows.length)]!();
        net.run(1_000 + randomBelow(random, 20_000));
      }
      net.heal();
      net.nodes.filter(({ gossip }) => gossip === undefined).forEach(start);
      assertWithin(net, 120_000, 'all are there', () => net.agreed());
    });
});

import assert from 'node:assert/strict';
import { GossipNetwork } from './gossip-network.ts';

const NODES = 50;
const SEEDS = 16;

/** All start within 10 s, each with the same 16 seeds, as where the nodes of a cluster are drawn from one list. */
function startAll(seed: number): GossipNetwork {
  const net = new GossipNetwork({ nodes: NODES, seed });
  const seeds = net.nodes.slice(0, SEEDS).map((node) => node.endpoint);
  for (const node of net.nodes) {
    net.start(node, seeds);
    net.run(10_000 / NODES);
  }
  return net;
}

describe('the start of a cluster, and a node that goes away', function () {
  this.timeout(300_000);

  it('costs each node few dials and few bytes: who has links enough dials no seed', () => {
    const net = startAll(7);
    net.run(2_000);
    for (const node of net.nodes)
      assert.equal(node.gossip!.members().filter(({ state }) => state === 'alive').length, NODES - 1);
    const linksAtOnce = Math.max(...net.nodes.map((node) => node.gossip!.links().length));
    net.run(20_000);
    const dials = net.dials.length / NODES;
    const kilobytes = net.nodes.reduce((sum, node) => sum + node.bytesOut, 0) / NODES / 1000;
    const links = net.nodes.reduce((sum, node) => sum + node.gossip!.links().length, 0) / NODES;
    const figures = `dials ${dials} kB ${kilobytes} links ${links} most ${linksAtOnce}`;
    assert.ok(dials < 16, figures);
    assert.ok(kilobytes < 750, figures);
    assert.ok(links < 14, figures);
  });

  it('draws a few dials when it is back after 5 s, not one from everybody', () => {
    const net = startAll(8);
    net.run(30_000);
    const gone = net.nodes[40]!;
    const since = net.now;
    net.kill(gone);
    net.run(5_000);
    net.start(gone);
    net.run(5_000);
    const dials = net.dials.filter(({ at, endpoint }) => at >= since && endpoint === gone.endpoint).length;
    assert.ok(dials <= 20, `${dials} dials to a node that went away`);
    assert.notEqual(
      net.runUntil(10_000, () => net.agreed()),
      undefined,
      'found again',
    );
  });

  it('joins two clusters whose only tie is a seed that all of one side have and never met', () => {
    const net = new GossipNetwork({ nodes: 40, seed: 9 });
    const [first, second] = [net.nodes[0]!, net.nodes[20]!];
    net.partition((node) => (node.index < 20 ? 0 : 1));
    for (const node of net.nodes) {
      if (node.index < 20) net.start(node, node === first ? [] : [first.endpoint]);
      else net.start(node, node === second ? [first.endpoint] : [second.endpoint, first.endpoint]);
    }
    net.run(30_000);
    net.heal();
    assert.notEqual(
      net.runUntil(30_000, () => net.agreed()),
      undefined,
      'one cluster',
    );
  });
});

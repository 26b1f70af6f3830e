import { deepEqual, match } from 'node:assert/strict';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';

describe('three weftds that start together, none of them special', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let nodes: ClusterNode[];

  before(async () => {
    cluster = await Cluster.create({ prefix: `co${process.pid % 10_000}` });
    nodes = [];
    for (const name of ['a', 'b', 'c']) {
      const peers = nodes.length === 0 ? [] : ['--peer', nodes[0]!.host.v4];
      nodes.push(await cluster.addNode(name, { args: [...peers, '--ipalloc-init', 'consensus=a,b,c'] }));
    }
  });
  after(() => cluster?.destroy());

  it('begin one ring when a majority of them is there, and not before', async () => {
    const [a, b, c] = nodes as [ClusterNode, ClusterNode, ClusterNode];
    await a.start();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    match((await a.ask('status')).ipam.state, /^(waiting|agreeing)$/);
    await b.start();
    for (const node of [a, b]) await node.ready();
    await c.start();
    await c.ready();
    for (const node of nodes) await node.connected(nodes);
    const owners = async (node: ClusterNode): Promise<string[]> => [
      ...new Set((await node.ask('ipam')).owners.map(({ name }) => name)),
    ];
    for (const node of nodes) deepEqual((await owners(node)).sort(), ['a', 'b', 'c']);
    for (const node of nodes) deepEqual((await node.ask('status')).warnings ?? [], []);
  });
});

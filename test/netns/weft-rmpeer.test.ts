import assert from 'node:assert/strict';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { until } from '../cluster/command.ts';

describe('weft rmpeer of a peer that owns nothing', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let nodes: [ClusterNode, ClusterNode, ClusterNode];

  before(async () => {
    cluster = await Cluster.create();
    nodes = (await cluster.startNodes(3)) as typeof nodes;
    for (const node of nodes) await node.ready(60_000);
  });
  after(() => cluster.destroy());

  const names = async (node: ClusterNode): Promise<string[]> =>
    (await node.ask('peers')).peers.map(({ name }) => name).sort();

  async function sees(node: ClusterNode, ...expected: string[]): Promise<void> {
    await until(`${node.name} to see ${expected}`, async () =>
      (await names(node)).join() === expected.join() ? true : undefined,
    );
  }

  it('is refused while it lives', async () => {
    const [first] = nodes;
    await sees(first, 'n2', 'n3');
    const refused = await first.run([WEFT, '--run-dir', first.runDir, 'rmpeer', 'n3'], { mayFail: true });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /n3 is alive; stop it first/);
  });

  it('is forgotten on all nodes, also on one that was off, and after restarts', async () => {
    const [first, second, third] = nodes;
    await third.weft('leave');
    await until('the others to see n3 leave', async () => {
      const states = await Promise.all([first, second].map((node) => stateOf(node, 'n3')));
      return states.every((state) => state === 'left') ? true : undefined;
    });
    await second.stop('SIGKILL');
    const { stdout } = await first.weft('rmpeer', 'n3');
    assert.match(stdout, /^removed n3 \([0-9a-f]{12}\): it owned nothing\n$/);
    await sees(first, 'n2');
    await second.start();
    await sees(second, 'n1');
    await first.stop();
    await first.start();
    await sees(first, 'n2');
    await sees(second, 'n1');
  });

  it('is back when it starts again', async () => {
    const [first, second, third] = nodes;
    await third.stop();
    await third.start();
    await sees(first, 'n2', 'n3');
    await sees(second, 'n1', 'n3');
    await third.ready(60_000);
  });
});

const WEFT = new URL('../../bin/weft', import.meta.url).pathname;

async function stateOf(node: ClusterNode, name: string): Promise<string | undefined> {
  return (await node.ask('status')).peers.find((peer) => peer.name === name)?.state;
}

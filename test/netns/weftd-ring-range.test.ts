import assert from 'node:assert/strict';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { until } from '../cluster/command.ts';

/** What rings of before 10.32.0.0/13 have, which is the range of new ones. */
const OLDER = '10.32.0.0/12';

describe('a weftd whose settings name no range', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let first: ClusterNode;

  before(async () => {
    cluster = await Cluster.create();
    first = await cluster.addNode('n1', { args: ['--ipalloc-init', 'seed', '--ipalloc-range', OLDER] });
    await first.start();
    await first.ready(60_000);
  });
  after(() => cluster?.destroy());

  it('joins a ring of another range than new ones get, and serves its pods', async () => {
    const node = await cluster.addNode('n2', { args: ['--peer', first.host.v4] });
    await node.start();
    const { pid } = node;
    await node.ready(60_000);
    assert.match(await node.log(), /starting again with them .*10\.32\.0\.0\/12/);
    assert.equal(node.pid, pid, 'it is the same process');
    const routes = (await node.run(['ip', 'route', 'show', 'proto', '87'])).stdout;
    assert.match(routes, /^10\.32\.0\.0\/12 dev weft0 /m);
    assert.doesNotMatch(routes, /10\.32\.0\.0\/13/);
    const [here, there] = [await node.attachPod('here'), await first.attachPod('there')];
    for (const address of [there.v4, there.v6])
      await until(`a way to ${address}`, () => here.ping(address, 1), { timeoutMs: 20_000 });
    assert.deepEqual((await node.ask('status')).warnings ?? [], []);
    await node.stop();
    await node.start();
    await node.ready(60_000);
  });

  it('keeps to a range that its settings name, and says which the ring has', async () => {
    const args = ['--peer', first.host.v4, '--ipalloc-range', '10.32.0.0/13'];
    const node = await cluster.addNode('n3', { args });
    await node.start();
    const detail = await until('the fault', async () => {
      const { ipam } = await node.ask('status');
      return ipam.state === 'fault' ? ipam.detail : undefined;
    });
    assert.match(detail, /start it with --ipalloc-range 10\.32\.0\.0\/12 --ipalloc-range6 fd/);
    assert.doesNotMatch(await node.log(), /starting again/);
  });
});

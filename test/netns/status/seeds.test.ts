import { doesNotMatch, equal, match, ok } from 'node:assert/strict';
import type { SeedStatus } from '../../../control/peer-status.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import { until } from '../../cluster/command.ts';
import { newSecret } from '../weftd-host.ts';

/** A tunnel that does not come up counts as unanswered after 10 s. */
const PATIENCE_MS = 40_000;
const HEALTH = '127.0.0.1:6799';

describe('peers that a node is told to look for', () => {
  let cluster: Cluster;
  let seed: ClusterNode;

  before(async () => {
    cluster = await Cluster.create({ prefix: 'wds' });
    seed = await cluster.addNode('seed', { args: ['--ipalloc-init', 'seed'] });
    await seed.start();
  });

  after(() => cluster?.destroy());

  /** The row of the node's first seed once it is in `state`. */
  const rowOf = (node: ClusterNode, state: SeedStatus['state']): Promise<SeedStatus> =>
    until(
      `the seed of ${node.name} to be ${state}`,
      async () => {
        const { seeds = [] } = await node.ask('status');
        return seeds.find((row) => row.state === state);
      },
      { timeoutMs: PATIENCE_MS },
    );

  for (const [what, name, peer, reason] of [
    ['nobody listens', 'refused', () => `${seed.host.v4}:7000`, /TCP is refused: nobody listens there/],
    ['there is no such name', 'nameless', () => 'nobody.invalid', /there is no such name/],
    ['there is no host', 'nohost', () => '198.51.100.1', /no route leads there|TCP is not answered/],
  ] as const) {
    it(`are told with the reason where ${what}, and what to do is not to begin another ring`, async () => {
      const node = await cluster.addNode(name, { args: ['--peer', peer(), '--health-listen', HEALTH] });
      await node.start();
      const row = await rowOf(node, 'failed');
      match(row.reason ?? '', reason);
      ok(row.remedy !== null && row.sinceS !== null);
      const { ipam, warnings = [] } = await node.ask('status');
      equal(ipam.state, 'waiting');
      match(ipam.detail, /waits for a ring of its peers, of which none is reached/);
      doesNotMatch(ipam.detail, /--ipalloc-init seed/);
      match(warnings.join('\n'), reason);
      const ready = (await node.run(['curl', '-s', `http://${HEALTH}/readyz`])).stdout;
      match(ready, /waits for a ring of its peers, of which none is reached/);
      const { stdout } = await node.weft('peers');
      match(stdout, /SOUGHT +STATE/);
      match(stdout, reason);
      await node.stop();
    });
  }

  it('are added and dropped while weftd runs', async () => {
    const node = await cluster.addNode('later');
    await node.start();
    equal((await node.ask('status')).ipam.state, 'waiting');
    equal((await node.weft('connect', seed.host.v4)).status, 0);
    await node.ready();
    await node.connected([seed]);
    equal((await rowOf(node, 'connected')).name, 'seed');
    equal((await node.weft('connect', '198.51.100.1')).status, 0);
    await until('two to be sought', async () => (await node.ask('status')).seeds?.length === 2 || undefined);
    equal((await node.weft('forget', '198.51.100.1')).status, 0);
    await until('one to be sought', async () => (await node.ask('status')).seeds?.length === 1 || undefined);
    await node.stop();
  });

  it('are told on both ends where the secrets differ', async () => {
    const secretFile = await cluster.writeSecret('other', newSecret());
    const node = await cluster.addNode('stranger', { args: ['--peer', seed.host.v4], secretFile });
    await node.start();
    const row = await rowOf(node, 'failed');
    match(row.reason ?? '', /it hung up at the handshake: it has another cluster secret, or is no weftd/);
    match(row.remedy ?? '', /compare the secret files/);
    await until('the seed to say so', async () =>
      /somebody connected who does not hold the secret of this cluster/.test(await seed.log()),
    );
    const { warnings = [] } = await seed.ask('status');
    match(
      warnings.join('\n'),
      new RegExp(`${node.host.v4} connected \\d+ s ago and does not hold the secret`),
    );
    await node.stop();
  });

  it('are told where TCP works and UDP does not', async () => {
    const node = await cluster.addNode('noudp', { args: ['--peer', seed.host.v4] });
    const rules =
      'add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in';
    await node.run(['nft', `${rules} meta l4proto udp drop`]);
    await node.start();
    const row = await rowOf(node, 'no-udp');
    equal(row.name, 'seed');
    match(row.reason ?? '', /linked by TCP, but UDP to it is not answered/);
    await node.run(['nft', 'delete', 'table', 'inet', 't']);
    const back = await rowOf(node, 'connected');
    equal(back.name, 'seed');
  });
});

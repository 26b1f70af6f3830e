import assert from 'node:assert/strict';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { run, until } from '../../cluster/command.ts';
import { iperf } from '../../cluster/traffic.ts';

/** What the underlay lets through of each flow of its own: addresses and ports. */
const MEGABITS_A_FLOW = 80;
const SECONDS = 4;

describe('several source ports for a pair of nodes', function () {
  this.timeout(120_000);
  let cluster: Cluster;

  afterEach(() => cluster.destroy());

  async function start(far: 'fast' | 'sleeve'): Promise<readonly [ClusterPod, ClusterPod]> {
    cluster = await Cluster.create();
    const a = await cluster.addNode('n1', { args: ['--ipalloc-init', 'seed', '--datapath', 'fast'] });
    const b = await cluster.addNode('n2', { args: ['--peer', a.host.v4, '--datapath', far] });
    for (const node of [a, b]) {
      await node.start();
      await node.ready(30_000);
    }
    const [from, to] = [await a.attachPod('pod1'), await b.attachPod('pod2')];
    await until('a pod to reach the other', () => from.ping(to.v4), { timeoutMs: 30_000 });
    return [from, to];
  }

  /** Drops what goes beyond the rate of a flow, and counts flows in a set; the bridge between the nodes does so. */
  async function police(more: string): Promise<void> {
    const { namespace } = cluster.underlay;
    const flow = 'ip saddr . udp sport . ip daddr . udp dport';
    const rules = `table bridge police {
      set rates { type ipv4_addr . inet_service . ipv4_addr . inet_service; size 1024; flags dynamic; timeout 60s; }
      chain forward {
        type filter hook forward priority 0;
        ${more}
        ip protocol udp update @rates { ${flow} limit rate over ${MEGABITS_A_FLOW / 8} mbytes/second burst 1 mbytes } drop
      }
    }`;
    await run(['nft', '-f', '-'], { namespace, input: rules });
  }

  const count = async (node: ClusterNode, name: string): Promise<number> =>
    (await node.ask('report')).counters[name] ?? 0;

  async function flowsFrom(node: ClusterNode): Promise<number> {
    const argv = ['nft', 'list', 'set', 'bridge', 'police', 'rates'];
    const { stdout } = await run(argv, { namespace: cluster.underlay.namespace });
    const flow = new RegExp(`${node.host.v4} \\. \\d+ \\. [\\d.]+ \\. \\d+`, 'g');
    return [...stdout.matchAll(flow)].length;
  }

  for (const far of ['fast', 'sleeve'] as const) {
    it(`carry together what the network allows to none alone, to a node with the ${far} datapath`, async () => {
      const [from, to] = await start(far);
      await police('');
      const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
      const ends = { from: from.namespace, to: to.namespace, address: to.v4, seconds: SECONDS };
      // The first stream has the ports found.
      const one = await iperf(ends);
      const challengedBefore = await count(b, 'path.challenged');
      const eight = await iperf({ ...ends, streams: 8 });
      const ratio = eight.bitsPerSecond / one.bitsPerSecond;
      assert.ok(ratio > 2, `eight streams carried ${ratio} times what one did`);
      assert.ok((await flowsFrom(a)) > 8, 'the pair of nodes is many flows for the network');
      assert.equal(await count(b, 'path.challenged'), challengedBefore);
    });
  }

  it('are not used where the network lets the known port through alone', async () => {
    const [from, to] = await start('fast');
    await police('ip protocol udp udp sport != 6783 drop');
    const ends = { from: from.namespace, to: to.namespace, address: to.v4, seconds: SECONDS };
    await iperf(ends);
    const { bitsPerSecond } = await iperf({ ...ends, streams: 8 });
    const megabits = bitsPerSecond / 1e6;
    // All of the one flow, so no stream went to where nothing comes through.
    assert.ok(megabits > MEGABITS_A_FLOW / 2 && megabits < MEGABITS_A_FLOW * 1.2, `${megabits} Mbit/s`);
    assert.equal(await flowsFrom(cluster.nodes[0]!), 1);
  });
});

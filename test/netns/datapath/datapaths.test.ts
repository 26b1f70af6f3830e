import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { Cluster, REPOSITORY } from '../../cluster/cluster.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';

const TRANSFER = `${REPOSITORY}/test/netns/inside/checked-transfer.ts`;
const DATAGRAMS = 2000;

type Name = 'fast' | 'sleeve';

describe('what datapaths carry', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  const servers: ChildProcess[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await endProcess(server, 'SIGTERM', 500);
    await cluster.destroy();
  });

  /** A pod on each of two nodes that run these datapaths. */
  async function pods(names: readonly [Name, Name], mtu = 1500): Promise<readonly [ClusterPod, ClusterPod]> {
    cluster = await Cluster.create({ mtu });
    const made: ClusterPod[] = [];
    for (const [i, name] of names.entries()) {
      const seed = cluster.nodes[0];
      const how = seed ? ['--peer', seed.host.v4] : ['--ipalloc-init', 'seed'];
      const node = await cluster.addNode(`n${i + 1}`, { args: [...how, '--datapath', name] });
      await node.start();
      await node.ready(30_000);
    }
    for (const [i, node] of cluster.nodes.entries()) made.push(await node.attachPod(`pod${i + 1}`));
    const [a, b] = made as [ClusterPod, ClusterPod];
    await until('a pod to reach the other', () => a.ping(b.v4), { timeoutMs: 30_000 });
    return [a, b];
  }

  async function serve(pod: ClusterPod, address: string): Promise<void> {
    const argv = [`${REPOSITORY}/bin/weft-node`, TRANSFER, 'serve', address];
    const [program, ...rest] = inNamespace(pod.namespace, argv);
    const server = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(server);
    let said = '';
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until('the server to listen', () => said.includes('listening'));
  }

  async function transfer(
    from: ClusterPod,
    how: 'tcp' | 'udp',
    to: string,
    amount: number,
  ): Promise<unknown> {
    const argv = [`${REPOSITORY}/bin/weft-node`, TRANSFER, how, to, String(amount)];
    return JSON.parse((await from.run(argv, { timeoutMs: 120_000 })).stdout);
  }

  /** Streams and datagrams of both families arrive as they were sent. */
  async function check(from: ClusterPod, to: ClusterPod, megabytes: number): Promise<void> {
    for (const address of [to.v4, to.v6]) {
      await serve(to, address);
      assert.deepEqual(await transfer(from, 'tcp', address, megabytes), { same: true });
      const { whole, damaged } = (await transfer(from, 'udp', address, DATAGRAMS)) as Record<string, number>;
      assert.equal(damaged, 0);
      // A busy machine has the receiving socket full now and then.
      assert.ok(whole! > DATAGRAMS / 2, `${whole} of ${DATAGRAMS} datagrams came`);
    }
  }

  async function carried(): Promise<readonly string[]> {
    return Promise.all(cluster.nodes.map(async (node) => (await node.ask('status')).datapath?.name ?? ''));
  }

  it('is whole from fast to fast, and by far most of it goes by the lanes', async () => {
    const [a, b] = await pods(['fast', 'fast']);
    assert.deepEqual(await carried(), ['fast', 'fast']);
    await check(a, b, 1000);
    const { counters } = await a.node.ask('report');
    for (const name of ['datapath.upwardFull', 'datapath.outUnsent', 'datapath.inForged'])
      assert.equal((counters as Record<string, number>)[name] ?? 0, 0, name);
    const { peers } = await a.node.ask('peers');
    assert.ok(peers[0]!.sentBytes > 2e9, `${peers[0]!.sentBytes} bytes were counted`);
  });

  it('is whole between fast and sleeve, both ways', async () => {
    const [a, b] = await pods(['fast', 'sleeve']);
    assert.deepEqual(await carried(), ['fast', 'sleeve']);
    await check(a, b, 100);
    await check(b, a, 100);
  });

  for (const mtu of [1400, 9000]) {
    it(`is whole over an underlay of ${mtu} bytes`, async () => {
      const [a, b] = await pods(['fast', 'fast'], mtu);
      await check(a, b, 100);
    });
  }

  it('is whole where pods complete their checksums themselves, and cut their streams', async () => {
    const [a, b] = await pods(['fast', 'fast']);
    await a.run(['ethtool', '-K', 'eth0', 'tx', 'off', 'tso', 'off', 'gso', 'off']);
    await check(a, b, 50);
  });

  it('is whole where the underlay loses datagrams', async () => {
    const [a, b] = await pods(['fast', 'fast']);
    // Runs of datagrams go over a veth in one piece; here each is to meet its own fate.
    for (const { node } of [a, b]) await node.run(['ip', 'link', 'set', 'eth0', 'gso_max_segs', '1']);
    const lossy = 'add table bridge odd; add chain bridge odd f { type filter hook forward priority 0; };';
    await run(['nft', '-f', '-'], {
      namespace: cluster.underlay.namespace,
      input: `${lossy} add rule bridge odd f ip protocol udp numgen random mod 200 0 drop\n`,
    });
    await serve(b, b.v4);
    assert.deepEqual(await transfer(a, 'tcp', b.v4, 50), { same: true });
  });
});

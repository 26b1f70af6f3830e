import assert from 'node:assert/strict';
import { nativeCipherFault } from '../../../native/aead.ts';
import type { OpenDatapath } from '../../../router/datapath/datapath.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { type CommandResult, run, until } from '../../cluster/command.ts';
import type { Host } from '../../cluster/underlay.ts';

/** Drops in the underlay what matches `rule`, from one host to another, and back unless `ways` is 1. No ICMP tells of it. */
async function dropBetween(
  cluster: Cluster,
  a: Host,
  b: Host,
  rules: readonly string[],
  ways: 1 | 2 = 2,
): Promise<void> {
  const table = `odd_${a.port}_${b.port}`;
  const script = [
    `add table bridge ${table}`,
    `add chain bridge ${table} f { type filter hook forward priority 0; }`,
    ...[
      [a, b],
      [b, a],
    ]
      .slice(0, ways)
      .flatMap(([from, to]) =>
        rules.map(
          (rule) => `add rule bridge ${table} f iifname ${from!.port} oifname ${to!.port} ${rule} drop`,
        ),
      ),
  ];
  await run(['nft', '-f', '-'], { namespace: cluster.underlay.namespace, input: `${script.join('\n')}\n` });
}

async function peerOf(
  node: ClusterNode,
  name: string,
): Promise<{ via: string | null; endpoint: string | null }> {
  const { peers } = await node.ask('status');
  return peers.find((peer) => peer.name === name) ?? { via: null, endpoint: null };
}

describe('weftd in a network that is not as it seems', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.create();
  });
  afterEach(() => cluster.destroy());

  for (const [how, ways] of [
    ['', 2],
    [' one way', 1],
  ] as const)
    it(`relays between two nodes where UDP is blocked${how} and TCP works`, async () => {
      const a = await cluster.addNode('n1', { args: ['--ipalloc-init', 'seed'] });
      const b = await cluster.addNode('n2', { args: ['--peer', a.host.v4] });
      const c = await cluster.addNode('n3', { args: ['--peer', a.host.v4] });
      await dropBetween(cluster, b.host, c.host, ['ip protocol udp', 'ip6 nexthdr udp'], ways);
      for (const node of [a, b, c]) await node.start();
      for (const node of [b, c]) await node.ready(30_000);
      await until('n2 to reach n3 by n1', async () => (await peerOf(b, 'n3')).via === 'n1' || undefined, {
        timeoutMs: 30_000,
      });
      const [here, there] = [await b.attachPod('here'), await c.attachPod('there')];
      await until('a pod to reach the other', () => here.ping(there.v4), { timeoutMs: 20_000 });
      assert.notEqual(await there.ping(here.v6), undefined);
    });

  it('seals with AES where both processors have it, and says what it can do', async () => {
    const [a, b] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await b.ready(30_000);
    await a.connected([b], 20_000);
    const best = nativeCipherFault('aes-256-gcm') === undefined ? 'aes-256-gcm' : 'chacha20-poly1305';
    for (const node of [a, b]) {
      const { datapath, status } = await node.ask('report');
      assert.deepEqual(
        status.peers.map(({ suite }) => suite),
        [best],
      );
      const { features: all } = datapath as Pick<OpenDatapath, 'features'>;
      const features = all.filter(({ name }) => name.startsWith(best));
      assert.deepEqual(features, [{ name: `${best} by OpenSSL`, wrong: false }]);
    }
    const [here, there] = [await a.attachPod('here'), await b.attachPod('there')];
    await until('a pod to reach the other', () => here.ping(there.v6), { timeoutMs: 20_000 });
  });

  it('carries on with a transfer when the path becomes narrower and nobody says so', async () => {
    const [a, b] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    for (const node of [a, b]) await node.ready(30_000);
    await a.connected([b], 20_000);
    const [from, to] = [await a.attachPod('from'), await b.attachPod('to')];
    await until('a pod to reach the other', () => from.ping(to.v4), { timeoutMs: 20_000 });
    const listening = to.run(['iperf3', '-s', '-1'], { timeoutMs: 60_000, mayFail: true });
    await until('iperf3 to listen', async () => {
      const { stdout } = await to.run(['ss', '-Hltn', 'sport = :5201']);
      return stdout.includes('5201') || undefined;
    });
    const sending = from.run(['iperf3', '-c', to.v4, '-t', '25', '-i', '1', '-b', '20M', '-J'], {
      timeoutMs: 60_000,
      mayFail: true,
    });
    await until('the transfer to run', async () => {
      const { peers } = await a.ask('peers');
      return (peers[0]?.sentBytes ?? 0) > 1_000_000 || undefined;
    });
    // Runs of datagrams go over a veth in one piece, which a rule would take for one long datagram.
    for (const node of [a, b]) await node.run(['ip', 'link', 'set', 'eth0', 'gso_max_segs', '1']);
    // Beneath it lies a tunnel of which nobody knows: of datagrams those up to 1300 bytes pass.
    const longer = ['ip protocol udp ip length > 1300', 'ip6 nexthdr udp ip6 length > 1260'];
    await dropBetween(cluster, a.host, b.host, longer);
    const [{ stdout }] = await Promise.all([sending, listening]);
    const report = JSON.parse(stdout) as {
      readonly end: { readonly sum_received: { readonly bytes: number } };
      readonly intervals: readonly { readonly sum: { readonly bytes: number } }[];
    };
    const last = report.intervals.slice(-5).map(({ sum }) => sum.bytes);
    assert.ok(Math.min(...last) > 0, `bytes sent in the last five seconds: ${last.join(', ')}`);
    assert.ok(report.end.sum_received.bytes > 25_000_000, `${report.end.sum_received.bytes} bytes arrived`);
    const pair = (await a.ask('report')).tunnels as readonly { readonly mtu: number }[];
    assert.ok(pair[0]!.mtu <= 1300 - 28 - 36, `an MTU of ${pair[0]!.mtu}`);
  });

  it('has the TUN interface and new pods follow an underlay that carries less, and tells running pods what fits', async () => {
    const [a, b] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    for (const node of [a, b]) await node.ready(30_000);
    await a.connected([b], 20_000);
    const read = ({ stdout }: CommandResult): number => Number(/mtu (\d+)/.exec(stdout)![1]);
    const mtuOf = async (pod: ClusterPod): Promise<number> =>
      read(await pod.run(['ip', '-o', 'link', 'show', 'eth0']));
    const mtuOfTun = async (): Promise<number> => read(await a.run(['ip', '-o', 'link', 'show', 'weft0']));
    const [from, to] = [await a.attachPod('from'), await b.attachPod('to')];
    await until('a pod to reach the other', () => from.ping(to.v4), { timeoutMs: 20_000 });
    const before = await mtuOfTun();
    assert.equal(await mtuOf(from), before);

    await a.run(['ip', 'link', 'set', 'eth0', 'mtu', '1450']);
    await until('weft0 to follow', async () => (await mtuOfTun()) === before - 50);
    assert.deepEqual((await a.ask('status')).warnings ?? [], []);
    assert.equal(await mtuOf(from), before, 'what runs keeps its own');
    for (const [to4or6, header, largest] of [
      [to.v4, 28, before],
      [to.v6, 48, before],
    ] as const) {
      // Once with a packet of the old size, of which the kernel then tells what fits.
      const told = await from.run(
        ['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '-M', 'do', '-s', String(largest - header), to4or6],
        { mayFail: true },
      );
      assert.match(told.stdout + told.stderr, new RegExp(`mtu[ =:]+${before - 50}`), told.stdout);
      const fits = String(before - 50 - header);
      const { stdout } = await from.run(['ping', '-n', '-c', '1', '-W', '2', '-M', 'do', '-s', fits, to4or6]);
      assert.match(stdout, /1 received/);
    }
    assert.equal(await mtuOf(await a.attachPod('late')), before - 50);

    await a.run(['ip', 'link', 'set', 'eth0', 'mtu', '9000']);
    await until('weft0 to be as at the start', async () => (await mtuOfTun()) === before);
    // IPv6 takes no less than 1280.
    await a.run(['ip', 'link', 'set', 'eth0', 'mtu', '1400']);
    await until('weft0 to have the least', async () => (await mtuOfTun()) === 1280);
    await until('a warning', async () =>
      ((await a.ask('status')).problems ?? []).some(({ code }) => code === 'W_UNDERLAY_MTU'),
    );
  });

  it('finds its peers though each host has many container bridges, whose addresses sort before its own', async () => {
    const nodes: ClusterNode[] = [];
    for (let i = 1; i <= 3; i++) {
      const seed = nodes[0];
      const args = seed ? ['--peer', seed.host.v4] : ['--ipalloc-init', 'seed'];
      const node = await cluster.addNode(`n${i}`, { args });
      const bridges = Array.from(
        { length: 20 },
        (_, j) =>
          `ip link add br${j} type bridge; ip address add 172.${17 + j}.0.1/16 dev br${j}; ip link set br${j} up`,
      );
      await node.run(['sh', '-c', bridges.join(';')]);
      await node.start();
      nodes.push(node);
    }
    for (const node of nodes) await node.ready(30_000);
    for (const node of nodes) await node.connected(nodes, 30_000);
    for (const node of nodes)
      for (const { name, via } of (await node.ask('status')).peers)
        assert.equal(via, null, `${node.name} reaches ${name} directly`);
  });

  it('is taken by its peers where its only address is on the loopback, whose MTU is 65536', async () => {
    const a = await cluster.addNode('n1', { args: ['--ipalloc-init', 'seed'] });
    const { v4 } = a.host;
    const move = [
      'ip address flush dev eth0',
      `ip address add ${v4}/32 dev lo`,
      `ip route add 192.168.77.0/24 dev eth0 src ${v4}`,
    ];
    await a.run(['sh', '-c', move.join(' && ')]);
    const b = await cluster.addNode('n2', { args: ['--peer', v4] });
    for (const node of [a, b]) await node.start();
    for (const node of [a, b]) await node.ready(30_000);
    await b.connected([a], 30_000);
    const [from, to] = [await a.attachPod('from'), await b.attachPod('to')];
    for (const address of [to.v4, to.v6]) await until(`a way to ${address}`, () => from.ping(address));
    for (const node of [a, b]) assert.deepEqual((await node.ask('status')).warnings ?? [], []);
  });

  it('finds its peers though they tell of many addresses that lead nowhere', async () => {
    const bridges = Array.from({ length: 20 }, (_, i) => `172.${17 + i}.0.1:6783`);
    const advertise = (host: Host): string[] =>
      [...bridges, `${host.v4}:6783`].flatMap((it) => ['--advertise', it]);
    const nodes: ClusterNode[] = [];
    for (let i = 1; i <= 3; i++) {
      const seed = nodes[0];
      const how = seed ? ['--peer', seed.host.v4] : ['--ipalloc-init', 'seed'];
      const number = 10 + cluster.nodes.length;
      const node = await cluster.addNode(`n${i}`, {
        args: [...how, ...advertise({ v4: `192.168.77.${number}` } as Host)],
      });
      await node.start();
      nodes.push(node);
    }
    for (const node of nodes) await node.ready(30_000);
    for (const node of nodes) await node.connected(nodes, 30_000);
  });
});

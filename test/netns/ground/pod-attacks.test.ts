import { deepEqual, equal, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { run, until } from '../../cluster/command.ts';

const RAW_FRAMES = new URL('../inside/raw-frames.c', import.meta.url).pathname;
const PORT_HOLDER = new URL('../inside/port-holder.ts', import.meta.url).pathname;
const WEFT_NODE = new URL('../../../bin/weft-node', import.meta.url).pathname;

/** A pod with CAP_NET_RAW, whose processes are not trusted. */
describe('a pod that attacks its node', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let peer: ClusterNode;
  let pod: ClusterPod;
  let rawFrames: string;
  let hostEnd: string;

  before(async () => {
    cluster = await Cluster.create({ prefix: `pa${process.pid % 10_000}` });
    rawFrames = join(cluster.folder, 'raw-frames');
    await run(['gcc', '-O1', '-Wall', '-Wextra', '-Werror', '-o', rawFrames, RAW_FRAMES]);
    const args = ['--metrics-listen', '[::]:6782', '--health-listen', '[::]:6784'];
    [node, peer] = (await cluster.startNodes(2, { args })) as [ClusterNode, ClusterNode];
    for (const one of [node, peer]) await one.ready();
    await node.connected([peer]);
    pod = await node.attachPod('evil');
    hostEnd = (await on('ip', 'route', 'show', pod.v4)).split(' ')[2]!;
  });

  after(async () => {
    await cluster?.destroy();
  });

  const on = async (...argv: string[]): Promise<string> => (await node.run(argv)).stdout;
  async function dropped(counter: string): Promise<number> {
    return Number(/packets (\d+)/.exec(await on('nft', 'list', 'counter', 'inet', 'weft', counter))![1]);
  }

  it('makes no neighbour entry of the host, whoever it says it is', async () => {
    const { stdout } = await pod.run([rawFrames, 'eth0', 'arp', '40', node.host.v4]);
    equal(stdout, '40\n');
    const entries = (await on('ip', 'neighbour', 'show', 'dev', hostEnd)).trim().split('\n');
    deepEqual(
      entries.filter((line) => !line.includes('PERMANENT')),
      [],
    );
    equal(entries.length, 2, 'its own addresses');
    ok((await pod.ping(node.host.v4)) !== undefined, 'and still reaches its node');
  });

  it('sends nothing from 0.0.0.0, nor from any address outside the pod ranges', async () => {
    for (const [source, destination] of [
      ['0.0.0.0', '255.255.255.255'],
      ['0.0.0.0', '224.0.0.1'],
      ['127.0.0.1', '127.0.0.1'],
      ['203.0.113.7', node.host.v4],
    ] as const) {
      const before = await dropped('dropSpoofed');
      equal((await pod.run([rawFrames, 'eth0', 'ip', source, destination])).stdout, '1\n');
      equal(await dropped('dropSpoofed'), before + 1, `${source} to ${destination}`);
    }
  });

  /** All addresses of a node: on the underlay, and in the overlay. */
  async function addressesOf(of: ClusterNode): Promise<string[]> {
    const { stdout } = await of.run(['ip', '-o', 'address', 'show', 'dev', 'weft0']);
    const overlay = [...stdout.matchAll(/inet6? ([0-9a-f.:]+)/g)].map(([, address]) => address!);
    equal(overlay.length, 2, stdout);
    return [of.host.v4, of.host.v6, ...overlay];
  }

  /** Whether the pod has a TCP connection there within a second. */
  async function connects(address: string, port: number): Promise<boolean> {
    const argv = ['timeout', '1', 'bash', '-c', `</dev/tcp/${address}/${port}`];
    return (await pod.run(argv, { mayFail: true })).status === 0;
  }

  it('reaches its node and what runs there, but nowhere the port that is for nodes, by TCP and UDP', async () => {
    for (const address of await addressesOf(node)) {
      for (const port of [6782, 6784]) ok(await connects(address, port), `${address} port ${port}`);
      ok((await pod.ping(address)) !== undefined, address);
      let before = await dropped('dropOwnPort');
      equal(await connects(address, 6783), false, address);
      ok((await dropped('dropOwnPort')) > before, address);
      before = await dropped('dropOwnPort');
      await pod.run(['bash', '-c', `echo mine >/dev/udp/${address}/6783`]);
      equal(await dropped('dropOwnPort'), before + 1, address);
    }
  });

  it('does not reach that port by a translation of addresses either', async () => {
    await on(
      'nft',
      'add table ip nat; add chain ip nat pre { type nat hook prerouting priority dstnat; }; ' +
        `add rule ip nat pre tcp dport 7783 dnat to ${node.host.v4}:6783; ` +
        `add rule ip nat pre tcp dport 7782 dnat to ${node.host.v4}:6782`,
    );
    ok(await connects('192.0.2.77', 7782), 'what is not closed is reached');
    const before = await dropped('dropOwnPort');
    equal(await connects('192.0.2.77', 7783), false);
    ok((await dropped('dropOwnPort')) > before);
    await on('nft', 'delete', 'table', 'ip', 'nat');
  });

  it('does not reach it through the tunnel, at the overlay addresses of another node', async () => {
    const onPeer = async (): Promise<number> => {
      const { stdout } = await peer.run(['nft', 'list', 'counter', 'inet', 'weft', 'dropOwnPort']);
      return Number(/packets (\d+)/.exec(stdout)![1]);
    };
    for (const address of (await addressesOf(peer)).slice(2)) {
      await until(`a way to ${address}`, () => pod.ping(address));
      ok(await connects(address, 6782), address);
      const before = await onPeer();
      equal(await connects(address, 6783), false, address);
      ok((await onPeer()) > before, address);
    }
  });

  it('does not reach it at another node, where it would come as from its own, and reaches all else there', async () => {
    await until('the peers to be known', async () => {
      const sets = await on('nft', 'list', 'table', 'inet', 'weft');
      return sets.includes(`${peer.host.v4} . 6783`) || sets.includes(`${peer.host.v6} . 6783`);
    });
    // The tunnel ends at one of the addresses: the one that the peer has proven.
    const [address] = (await on('nft', 'list', 'table', 'inet', 'weft')).match(/[0-9a-f.:]+(?= \. 6783)/)!;
    ok(await connects(address, 6782), 'as from the node');
    let before = await dropped('dropPeerPort');
    equal(await connects(address, 6783), false);
    ok((await dropped('dropPeerPort')) > before);
    before = await dropped('dropPeerPort');
    await pod.run(['bash', '-c', `echo mine >/dev/udp/${address}/6783`]);
    equal(await dropped('dropPeerPort'), before + 1);
    const outside = await cluster.underlay.addHost('outside', 99);
    const script = "require('net').createServer(() => process.exit()).listen(6783, '::')";
    const serving = run([WEFT_NODE, '-e', script], { namespace: outside.namespace, timeoutMs: 60_000 });
    await until('a connection to who is no node', () => connects(outside.v4, 6783), { timeoutMs: 20_000 });
    await serving;
  });

  it('has what it may not reach told again after somebody emptied that list', async () => {
    const sets = async (): Promise<string> =>
      (await on('nft', 'list', 'set', 'inet', 'weft', 'peers4')) +
      (await on('nft', 'list', 'set', 'inet', 'weft', 'peers6'));
    const before = await sets();
    await on('nft', 'flush set inet weft peers4; flush set inet weft peers6');
    await until('the list to be back', async () => (await sets()) === before);
  });

  it('reaches that port of other pods, which are no nodes', async () => {
    const other = await node.attachPod('server');
    const script =
      "let n = 0; require('net').createServer((s) => { s.end(); if (++n === 2) process.exit() }).listen(6783, '::')";
    const serving = other.run([WEFT_NODE, '-e', script], { timeoutMs: 60_000 });
    for (const address of [other.v4, other.v6])
      await until(`a connection to ${address}`, () => connects(address, 6783), { timeoutMs: 20_000 });
    await serving;
  });

  it('does not reach it either once other programs flushed the rules, and weftd put them back', async () => {
    await on('nft', 'flush', 'ruleset');
    await until('the rules to be back', async () => {
      const { status } = await node.run(['nft', 'list', 'chain', 'inet', 'weft', 'enter'], { mayFail: true });
      return status === 0;
    });
    equal(await connects(node.host.v4, 6783), false);
    ok(await connects(node.host.v4, 6782));
    await node.connected([peer]);
    deepEqual((await node.ask('status')).warnings ?? [], []);
  });

  it("gets nothing of what peers send to its node's port, though it holds that port while the node is away", async () => {
    await node.stop('SIGKILL');
    // Who is masqueraded there gets no port of the node's, also while no peer is known.
    await on('nft', 'flush set inet weft peers4; flush set inet weft peers6');
    const holding = pod.run([WEFT_NODE, PORT_HOLDER, peer.host.v4, '6783', '6']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await node.start();
    const { stdout } = await holding;
    equal(stdout, '0\n');
    await node.connected([peer]);
  });
});

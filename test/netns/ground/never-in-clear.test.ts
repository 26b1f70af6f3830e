import { deepEqual, equal, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { run, until } from '../../cluster/command.ts';
import { Capture, occurrences } from '../../cluster/traffic.ts';
import type { Host } from '../../cluster/underlay.ts';

const TUN_WRITE = new URL('../inside/tun-write.ts', import.meta.url).pathname;
const WEFT_NODE = new URL('../../../bin/weft-node', import.meta.url).pathname;

const DROPS = ['dropClearForwarded', 'dropClearHost', 'dropClearTunnel', 'dropNotMasqueraded'];

/** Sends `text` in one UDP datagram; a refusal by the kernel (no route, a rule) is no failure. */
const SEND = ['bash', '-c', 'printf %s "$2" > "/dev/udp/$1/7778"', 'send'];

/**
 * Two nodes with a pod each, and a host `gw` that is the default gateway of both. A capture on the underlay's bridge
 * and on `gw` looks for what pods say.
 */
describe('a packet of a pod', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let peer: ClusterNode;
  let gateway: Host;
  let here: ClusterPod;
  let beside: ClusterPod;
  let there: ClusterPod;
  let captures = 0;
  const droppedBefore = new Map<string, number>();

  before(async () => {
    cluster = await Cluster.create({ prefix: `nc${process.pid % 10_000}` });
    gateway = await cluster.underlay.addHost('gw', 99);
    [node, peer] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await node.ready();
    await peer.ready();
    await node.connected([peer]);
    here = await node.attachPod('here');
    beside = await node.attachPod('beside');
    there = await peer.attachPod('there');
    for (const { namespace } of [node, peer]) {
      await run(['ip', 'route', 'add', 'default', 'via', gateway.v4], { namespace });
      await run(['ip', 'route', 'add', 'default', 'via', gateway.v6], { namespace });
    }
    ok((await here.ping(there.v4)) !== undefined, 'the tunnel stands');
    ok((await here.ping(there.v6)) !== undefined, 'for IPv6 too');
  });

  beforeEach(async () => {
    for (const counter of DROPS) droppedBefore.set(counter, await counted(counter));
  });

  after(async () => {
    await cluster?.destroy();
  });

  /** Takes back what a test did to the node, and sees that all is well again. */
  afterEach(async () => {
    if (!node) return;
    const undo = [
      ...[there, here].flatMap(({ v4, v6 }) => [
        `ip route del ${v4}/32 proto boot`,
        `ip route del ${v6}/128 proto boot`,
      ]),
      ...['-4', '-6'].map((family) => `ip ${family} rule del pref 100`),
      'ip link delete wvlan0',
      'nft delete table inet other',
      'nft delete table ip services',
    ];
    await node.run(['sh', '-c', undo.join(';')], { mayFail: true });
    await node.stop('SIGKILL');
    await node.start();
    await node.connected([peer]);
    for (const to of [beside, there])
      for (const address of [to.v4, to.v6]) await until(`a way to ${address}`, () => here.ping(address, 1));
  });

  /** Texts that `act` had sent and that crossed the underlay, of those in `texts`. */
  async function seenInClear(texts: readonly string[], act: () => Promise<unknown>): Promise<string[]> {
    const capture = await Capture.start(
      cluster.underlay.namespace,
      join(cluster.folder, `capture${captures++}`),
    );
    await act();
    const bytes = await capture.stop();
    return texts.filter((text) => occurrences(bytes, text) > 0);
  }

  async function send(from: { readonly namespace: string }, to: string, text: string): Promise<void> {
    await run([...SEND, to, text], { namespace: from.namespace, mayFail: true });
  }

  /** Sends from the pod and from the host itself to the pod beyond, in both families; what of it was seen in clear. */
  async function allWays(name: string): Promise<string[]> {
    const ways = [here, node].flatMap((from, i) =>
      [there.v4, there.v6].map((to, j) => ({ from, to, text: `CANARY-${name}-${i}${j}` })),
    );
    return seenInClear(
      ways.map(({ text }) => text),
      async () => {
        for (const { from, to, text } of ways) await send(from, to, text);
      },
    );
  }

  async function counted(counter: string): Promise<number> {
    const { stdout } = await node.run(['nft', 'list', 'counter', 'inet', 'weft', counter]);
    return Number(/packets (\d+)/.exec(stdout)![1]);
  }

  /** In this test. Rules that stand as they were set go on, and count on, under another weftd. */
  async function dropped(counter: string): Promise<number> {
    return (await counted(counter)) - droppedBefore.get(counter)!;
  }

  async function flushRoutes(): Promise<void> {
    for (const family of ['-4', '-6']) await node.run(['ip', family, 'route', 'flush', 'proto', '87']);
  }

  /** The routes into the tunnel and what lies beneath; pods of the node keep theirs. */
  async function flushRanges(): Promise<void> {
    for (const family of ['-4', '-6']) {
      await node.run(['ip', family, 'route', 'flush', 'proto', '87', 'dev', 'weft0']);
      await node.run(['ip', family, 'route', 'flush', 'proto', '87', 'type', 'blackhole']);
    }
  }

  it('is seen on the underlay where it is meant for the world, so these tests can fail', async () => {
    const seen = await seenInClear(['CANARY-world-4', 'CANARY-world-6'], async () => {
      await send(here, gateway.v4, 'CANARY-world-4');
      await send(here, gateway.v6, 'CANARY-world-6');
    });
    deepEqual(seen, ['CANARY-world-4', 'CANARY-world-6']);
  });

  it('stays on the node when somebody flushes the routes', async () => {
    await node.stop('SIGKILL');
    const before = [await dropped('dropClearForwarded'), await dropped('dropClearHost')];
    await flushRanges();
    deepEqual(await allWays('flush'), []);
    const after = [await dropped('dropClearForwarded'), await dropped('dropClearHost')];
    deepEqual(after, [before[0]! + 2, before[1]! + 2]);
    await flushRoutes();
    deepEqual(await allWays('flushall'), []);
  });

  it('stays on the node when a more specific route leads elsewhere', async () => {
    await node.run(['ip', 'route', 'add', `${there.v4}/32`, 'via', gateway.v4]);
    await node.run(['ip', 'route', 'add', `${there.v6}/128`, 'via', gateway.v6]);
    deepEqual(await allWays('mask'), []);
    equal(await dropped('dropClearForwarded'), 2);
    equal(await dropped('dropClearHost'), 2);
  });

  it("stays on the node when a route leads to another program's interface that is called like a pod's end", async () => {
    const beyond = ['198.51.100.2', '2001:db8:99::2'];
    for (const address of beyond)
      await run(['sh', '-c', `ip address add ${address}/${address.includes(':') ? 64 : 24} dev eth0`], {
        namespace: gateway.namespace,
      });
    const make = [
      'ip link add link eth0 name wvlan0 type macvlan mode bridge',
      'ip link set wvlan0 up',
      'ip address add 198.51.100.1/24 dev wvlan0',
      'ip address add 2001:db8:99::1/64 dev wvlan0 nodad',
      ...[there.v4, there.v6].map((to, i) => `ip route add ${to} via ${beyond[i]} dev wvlan0`),
    ];
    await node.run(['sh', '-c', make.join(' && ')]);
    deepEqual(await allWays('name'), []);
    equal(await dropped('dropClearForwarded'), 2);
    equal(await dropped('dropClearHost'), 2);
    await until('a warning', async () => {
      const { warnings = [] } = await node.ask('status');
      return warnings.some((line) =>
        line.includes(`the route ${there.v4}/32 by wvlan0 takes packets for pods`),
      );
    });
    // And what is not for pods passes there as anywhere.
    await node.run(['ping', '-n', '-c', '3', '-i', '0.2', '-W', '2', beyond[0]!]);
  });

  it('stays on the node when a policy rule leads elsewhere', async () => {
    for (const [family, via, to] of [
      ['-4', gateway.v4, there.v4],
      ['-6', gateway.v6, there.v6],
    ] as const) {
      await node.run(['ip', family, 'route', 'add', 'default', 'via', via, 'table', '1000']);
      await node.run(['ip', family, 'rule', 'add', 'to', to, 'lookup', '1000', 'pref', '100']);
    }
    deepEqual(await allWays('rule'), []);
  });

  it('stays on the node when a rule of another program sends it to a pod beyond, by a wrong way', async () => {
    await node.run(['ip', 'route', 'add', `${there.v4}/32`, 'via', gateway.v4]);
    const table = `table ip services {
      chain in { type nat hook prerouting priority dstnat; ip daddr 198.51.100.1 dnat to ${there.v4}; }
      chain out { type nat hook output priority -100; ip daddr 198.51.100.1 dnat to ${there.v4}; }
      chain away { type nat hook postrouting priority srcnat - 10; ip daddr ${there.v4} masquerade; }
    }\n`;
    await node.run(['nft', '-f', '-'], { input: table });
    const seen = await seenInClear(['CANARY-service-pod', 'CANARY-service-host'], async () => {
      await send(here, '198.51.100.1', 'CANARY-service-pod');
      await send(node, '198.51.100.1', 'CANARY-service-host');
    });
    deepEqual(seen, []);
    equal((await dropped('dropClearForwarded')) + (await dropped('dropClearHost')), 2);
  });

  it("stays on the node when the host's own process is bound to the underlay's interface", async () => {
    const pattern = Buffer.from('CANARY-bound').toString('hex');
    const seen = await seenInClear(['CANARY-bound'], async () => {
      for (const to of [there.v4, there.v6])
        await node.run(['ping', '-c', '1', '-W', '1', '-I', 'eth0', '-p', pattern, to], { mayFail: true });
    });
    deepEqual(seen, []);
  });

  it('stays on the node when it has been decrypted and the way to its pod is gone', async () => {
    await node.stop('SIGKILL');
    await flushRoutes();
    const seen = await seenInClear(['CANARY-in-4', 'CANARY-in-6'], async () => {
      for (const [from, to, text] of [
        [there.v4, here.v4, 'CANARY-in-4'],
        [there.v6, here.v6, 'CANARY-in-6'],
      ] as const)
        await node.run([WEFT_NODE, TUN_WRITE, from, to, text]);
    });
    deepEqual(seen, []);
    equal(await dropped('dropClearTunnel'), 2);
  });

  it('leaves for the world with the address of the node only, whatever connection tracking makes of it', async () => {
    const untracked = `table inet other { chain c { type filter hook prerouting priority -300; iifname "wv*" notrack; }; }\n`;
    await node.run(['nft', '-f', '-'], { input: untracked });
    const seen = await seenInClear(['CANARY-untracked'], () => send(here, gateway.v4, 'CANARY-untracked'));
    deepEqual(seen, []);
    equal(await dropped('dropNotMasqueraded'), 1);
  });

  it('stays on the node while the rules are gone, by the routes alone', async () => {
    await node.stop('SIGKILL');
    await node.run(['nft', 'flush', 'ruleset']);
    await node.run(['ip', 'link', 'set', 'weft0', 'down']);
    deepEqual(await allWays('norules'), []);
    await node.run(['ip', 'link', 'delete', 'weft0']);
    deepEqual(await allWays('notun'), []);
  });

  it('stays on a node that has booted and whose weftd has not run yet, with the rules of weftd --rules-only', async () => {
    const booted = await cluster.addNode('n3', { args: ['--peer', node.host.v4] });
    const { namespace } = booted;
    await run(['ip', 'route', 'add', 'default', 'via', gateway.v4], { namespace });
    await run(['ip', 'route', 'add', 'default', 'via', gateway.v6], { namespace });
    const said = async (name: string): Promise<string[]> => {
      const texts = [`CANARY-${name}-4`, `CANARY-${name}-6`];
      return seenInClear(texts, async () => {
        await send(booted, there.v4, texts[0]!);
        await send(booted, there.v6, texts[1]!);
      });
    };
    deepEqual(await said('boot'), ['CANARY-boot-4', 'CANARY-boot-6'], 'nothing of ours is there');
    await booted.run([...booted.command(), '--rules-only']);
    deepEqual(await said('guarded'), []);
    await booted.run(['ip', 'route', 'flush', 'type', 'blackhole']);
    await booted.run(['ip', '-6', 'route', 'flush', 'type', 'blackhole']);
    deepEqual(await said('rules'), [], 'by the rules alone');
    await booted.run([...booted.command(), '--rules-only']);
    await booted.run(['nft', 'flush', 'ruleset']);
    deepEqual(await said('blackholes'), [], 'by the blackholes alone');
    await booted.start();
    await booted.connected([node, peer]);
  });
});

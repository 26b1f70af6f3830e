import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { FileLock } from '../../native/file-lock.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { ClusterPod } from '../cluster/cluster-pod.ts';
import { endProcess, inNamespace, until } from '../cluster/command.ts';
import { type ExchangeResult, UdpExchange } from '../cluster/udp-exchange.ts';

/** Datagrams a second each way. A sleeve on a machine that is busy with other tests cannot carry as many. */
const PER_SECOND = { fast: 10_000, sleeve: 2_000 };
const SETTLE_MS = 1_000;
const RESUMED = /goes on with the tunnels of the weftd before/g;

describe('a weftd that hands its datapath to the next', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let peer: ClusterNode;
  let ends: readonly [ClusterPod, ClusterPod];

  before(async () => {
    cluster = await Cluster.create({ prefix: `ho${process.pid % 10_000}` });
    [node, peer] = (await cluster.startNodes(2, { args: ['--take-over'] })) as [ClusterNode, ClusterNode];
    await peer.ready();
    await node.connected([peer]);
    ends = [await node.attachPod('here'), await peer.attachPod('there')];
  });

  after(async () => {
    await cluster?.destroy();
  });

  /**
   * Packets that found no room in a queue of the kernel. On a busy machine a datapath waits for its turn, take-over or not,
   * and so these are no loss of the take-over.
   */
  const unqueued = async (): Promise<number> => {
    let sum = 0;
    for (const each of [node, peer]) {
      const links = await each.run(['ip', '-s', '-j', 'link', 'show', 'weft0']);
      sum += (JSON.parse(links.stdout) as [{ stats64: { tx: { dropped: number } } }])[0].stats64.tx.dropped;
      const sockets = await each.run(['awk', '/^Udp:/ {full = $6} END {print full}', '/proc/net/snmp']);
      sum += Number(sockets.stdout);
    }
    return sum;
  };
  /** What two pods see of `act`, which they exchange datagrams beside. */
  const beside = async (
    act: () => Promise<void>,
    perSecond: number,
  ): Promise<ExchangeResult & { readonly unqueued: number }> => {
    const before = await unqueued();
    const exchange = await UdpExchange.start(ends, perSecond);
    try {
      await delay(SETTLE_MS);
      await act();
      await delay(SETTLE_MS);
      const seen = await exchange.end();
      return { ...seen, unqueued: (await unqueued()) - before };
    } finally {
      await exchange.kill();
    }
  };
  const counter = async (of: ClusterNode, name: string): Promise<number> =>
    (await of.ask('report')).counters[name] ?? 0;
  const resumed = async (): Promise<number> => (await node.log()).match(RESUMED)?.length ?? 0;
  const datapath = async (): Promise<string | undefined> => (await node.ask('status')).datapath?.name;

  for (const [from, to] of [
    ['fast', 'fast'],
    ['fast', 'sleeve'],
    ['sleeve', 'sleeve'],
    ['sleeve', 'fast'],
  ] as const)
    it(`loses no packet from ${from} to ${to}, and shakes no hands`, async () => {
      equal(await datapath(), from);
      const [restarts, before] = [await counter(peer, 'tunnel.peerRestarted'), await resumed()];
      const { sentBytes } = (await node.ask('peers')).peers.find(({ name }) => name === peer.name)!;
      const seen = await beside(
        async () => {
          await endProcess(await node.succeed(['--datapath', to]));
        },
        Math.min(PER_SECOND[from], PER_SECOND[to]),
      );
      equal(await datapath(), to);
      console.log(`      ${JSON.stringify(seen)}`);
      equal(seen.twice, 0);
      ok(seen.lost <= seen.unqueued, `${seen.lost} lost, ${seen.unqueued} found no room in a queue`);
      equal(await resumed(), before + 1);
      const handshakes = ['handshake.completed', 'handshake.answered', 'tunnel.notResumed'];
      deepEqual(await Promise.all(handshakes.map((name) => counter(node, name))), [0, 0, 0]);
      equal(await counter(node, 'tunnel.resumed'), 1);
      equal(await counter(peer, 'tunnel.peerRestarted'), restarts);
      const after = (await node.ask('peers')).peers.find(({ name }) => name === peer.name)!;
      ok(after.sentBytes > sentBytes + (seen.sent / 2) * 64, 'counters go on');
    });

  it('goes on with what it has where its successor fails before it carries packets', async () => {
    const before = await resumed();
    const { pid } = await node.ask('process');
    const seen = await beside(async () => {
      // Without kernel settings it ends after it has the node and the devices, and before it asks for the tunnels.
      const argv = [...node.command(), '--sysctl-dir', '/nonexistent'];
      const [program, ...rest] = inNamespace(node.namespace, argv);
      const failing = spawn(program!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      failing.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await until('the successor to end', () => failing.exitCode !== null);
      equal(failing.exitCode, 1, said);
      match(said, /the kernel setting .* does not exist/);
      await until('the one before to serve again', async () => {
        return (await node.ask('process').catch(() => undefined))?.pid === pid;
      });
    }, PER_SECOND.sleeve);
    ok(seen.lost <= seen.unqueued, `${seen.lost} lost, ${seen.unqueued} found no room in a queue`);
    equal(await resumed(), before + 1);
    equal(await counter(node, 'tunnel.resumed'), 1);
    match(await node.log(), /serving it again/);
  });
});

describe('a weftd whose successor dies with what it handed over', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.create({ prefix: `hd${process.pid % 10_000}` });
  });

  after(async () => {
    await cluster?.destroy();
  });

  it('serves again with keys of its own', async () => {
    const [node, peer] = (await cluster.startNodes(2, { args: ['--take-over'] })) as [
      ClusterNode,
      ClusterNode,
    ];
    await peer.ready();
    await node.connected([peer]);
    const [here, there] = [await node.attachPod('here'), await peer.attachPod('there')];
    const first = await node.succeed();
    match(await node.log(), RESUMED);
    await node.stop('SIGKILL');
    await node.servedBy(first);
    await node.connected([peer]);
    ok((await here.ping(there.v4)) !== undefined);
    const { counters } = await node.ask('report');
    equal(counters['tunnel.resumed'], undefined);
    ok((counters['handshake.completed'] ?? 0) + (counters['handshake.answered'] ?? 0) > 0);
    await endProcess(first);
  });

  it('lets its devices go to one that is not the heir, for which that one waits', async () => {
    const [node, peer] = cluster.nodes as [ClusterNode, ClusterNode];
    await node.start();
    await node.connected([peer]);
    const said: string[] = [];
    const another = (): ChildProcess => {
      const [program, ...rest] = inNamespace(node.namespace, node.command());
      const child = spawn(program!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
      child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
      return child;
    };
    // The heir stands still once it has the devices and the folder, until a third one is the next to have that; then it dies.
    const heir = another();
    const claim = `${node.runDir}/successor`;
    const claimed = (held: boolean) => (): boolean => FileLock.isHeld(claim) === held;
    await until('the heir to claim the node', claimed(true), { everyMs: 1 });
    await until('the heir to have it', claimed(false), { everyMs: 1 });
    heir.kill('SIGSTOP');
    const third = another();
    try {
      await until('the third to claim the node', claimed(true), { everyMs: 1 });
      heir.kill('SIGKILL');
      await until('the third to serve', async () => {
        equal(third.exitCode, null, said.join(''));
        return (await node.ask('process').catch(() => undefined))?.pid === third.pid;
      });
      await node.connected([peer]);
    } finally {
      await endProcess(third);
      await endProcess(heir, 'SIGKILL');
    }
    await node.stop();
  });

  it('is taken over as after a restart where the other has other settings', async () => {
    const [node, peer] = cluster.nodes as [ClusterNode, ClusterNode];
    await node.start();
    await node.connected([peer]);
    const logged = (await node.log()).match(RESUMED)?.length;
    const first = await node.succeed(['--listen', node.host.v4]);
    await node.connected([peer]);
    equal((await node.log()).match(RESUMED)?.length, logged);
    await endProcess(first);
  });
});

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { encodeMessage, frame } from '../../control/control-protocol.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { type CommandResult, endProcess, inNamespace, run, until } from '../cluster/command.ts';
import { newSecret, WEFTD } from './weftd-host.ts';

const PROBE = new URL('../cluster/inside/tcp-probe.ts', import.meta.url).pathname;
const WEFT_NODE = new URL('../../bin/weft-node', import.meta.url).pathname;

describe('a weftd that takes over from another', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let peer: ClusterNode;

  before(async () => {
    cluster = await Cluster.create({ prefix: `tk${process.pid % 10_000}` });
    [node, peer] = (await cluster.startNodes(2, { args: ['--take-over'] })) as [ClusterNode, ClusterNode];
    await peer.ready();
    await node.connected([peer]);
  });

  after(async () => {
    await cluster?.destroy();
  });

  /** A process of the host, in the pod's namespace; its output so far is `text()`. */
  const inside = (namespace: string, args: string[]): { child: ChildProcess; text: () => string } => {
    const [program, ...rest] = inNamespace(namespace, [WEFT_NODE, PROBE, ...args]);
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    return { child, text: () => said };
  };

  const allocations = async (): Promise<string[]> =>
    (await node.ask('ipam')).allocations
      .map(({ containerId, addresses }) => `${containerId} ${addresses}`)
      .sort();
  const another = (command = node.command()): Promise<CommandResult> =>
    run(command, { namespace: node.namespace, mayFail: true, timeoutMs: 20_000 });

  it('breaks no connection, fails no pod, and leaves everything as it was', async () => {
    const here = await node.attachPod('here');
    const there = await peer.attachPod('there');
    const server = inside(there.namespace, ['serve', there.v4, '7777']);
    let asking: ReturnType<typeof inside> | undefined;
    try {
      await until('the probe to connect', async () => {
        asking ??= inside(here.namespace, ['ask', there.v4, '7777', '6']);
        if (asking.child.exitCode !== null) asking = undefined;
        return asking?.text().includes('connected');
      });
      const before = (await allocations()).length;
      let over = false;
      const pods = (async () => {
        const made = [];
        for (let i = 0; !over; i++) made.push(await node.attachPod(`p${i}`));
        return made;
      })();
      const [identity, ranges] = [(await node.ask('status')).peerId, (await node.ask('ipam')).ranges];
      const first = await node.succeed();
      over = true;
      const made = await pods;
      ok(made.length > 0);
      equal(first.exitCode, null, 'the predecessor stands by');
      match(await node.log(), /another weftd serves this node now; standing by/);
      equal((await allocations()).length, before + made.length);
      equal((await node.ask('status')).peerId, identity);
      deepEqual((await node.ask('ipam')).ranges, ranges);
      for (const pod of made)
        ok((await pod.ping(there.v4)) !== undefined, `${pod.name} reaches the other node`);
      const seen = await until('the probe to end', () => /^\{.*\}$/m.exec(asking!.text())?.[0]);
      const { broken, longestGapMs } = JSON.parse(seen) as { broken: string | null; longestGapMs: number };
      equal(broken, null);
      console.log(`      longest gap ${longestGapMs} ms, ${made.length} pods made meanwhile`);
      await endProcess(first);
      equal(first.exitCode, 0, 'one that stands by ends at once');
      await node.connected([peer]);
    } finally {
      if (asking) await endProcess(asking.child, 'SIGKILL');
      await endProcess(server.child, 'SIGKILL');
    }
  });

  it('waits until the predecessor has answered its clients, and sends only then', async () => {
    const socketFile = `${node.runDir}/weft.sock`;
    const late = connect(socketFile);
    await new Promise((resolve) => late.once('connect', resolve));
    const over = node.succeed();
    await until('the socket to be hidden', () => !existsSync(socketFile), { everyMs: 1 });
    late.write(frame(encodeMessage({ op: 'process' })));
    const answer = await text(late);
    const first = await over;
    match(answer, new RegExp(`"pid":${first.pid},`));
    await endProcess(first);
  });

  it('is replaced by its predecessor where it fails, which then stays for a while', async () => {
    const before = await allocations();
    const first = await node.succeed();
    await node.stop('SIGKILL');
    await node.servedBy(first);
    await until('its log to say so', async () => (await node.log()).includes('serving it again'));
    deepEqual(await allocations(), before);
    const [program, ...rest] = inNamespace(node.namespace, node.command());
    const next = spawn(program!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    next.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until('the next one to wait', () =>
      /waiting for the weftd .*took it back \d+ s ago, for its successor failed; see the log/.test(said),
    );
    equal(next.exitCode, null);
    await endProcess(next);
    await node.servedBy(first);
    await node.connected([peer]);
    await endProcess(first);
    equal(first.exitCode, 0);
    await node.start();
  });

  it('is stood in for by one alone where several stand by', async () => {
    const first = await node.succeed();
    const second = await node.succeed();
    const third = (await node.ask('process')).pid;
    await node.stop('SIGKILL');
    const { pid } = await until('one of the two to serve', () => node.ask('process').catch(() => undefined));
    ok(pid !== third && [first.pid, second.pid].includes(pid));
    // Long enough for the other to have tried.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    equal((await node.ask('process')).pid, pid);
    equal(first.exitCode ?? second.exitCode, null, 'the other one stands by');
    await endProcess(first);
    await endProcess(second);
    await node.start();
    await node.connected([peer]);
  });

  it('is refused where it is of another cluster, and the weftd that serves goes on', async () => {
    const other = await cluster.writeSecret('other', newSecret());
    const { status, stderr } = await another(
      node.command().map((word) => (word === cluster.secretFile ? other : word)),
    );
    equal(status, 1);
    match(stderr, /^weftd: the weftd that serves this node is of cluster .*run one weftd alone on a node\n$/);
    await node.connected([peer]);
  });

  it('is refused where the weftd that serves was not started with --take-over', async () => {
    const alone = await cluster.addNode('n3', { args: ['--peer', node.host.v4] });
    await alone.start();
    const argv = [WEFTD, ...alone.command().slice(1), '--take-over'];
    const { status, stderr } = await run(argv, { namespace: alone.namespace, mayFail: true });
    equal(status, 1);
    match(stderr, /^weftd: the weftd that serves this node makes room for no other; stop it first/);
    equal((await alone.ask('status')).name, 'n3');
  });

  it('goes to a successor and back on a full disk, and who stands by tries for as long as it cannot serve', async () => {
    const full = await cluster.addNode('n4', { args: ['--ipalloc-init', 'seed', '--take-over'] });
    await mkdir(full.stateDir);
    await run(['mount', '-t', 'tmpfs', '-o', 'mode=700,size=2m', 'none', full.stateDir]);
    try {
      await full.start();
      await full.ready();
      await run(['dd', 'if=/dev/zero', `of=${full.stateDir}/ballast`, 'bs=4k'], { mayFail: true });
      const first = await full.succeed();
      await run(['mv', `${full.stateDir}/identity`, `${full.stateDir}/aside`]);
      await full.stop('SIGKILL');
      await until('the weftd that stands by to try', async () =>
        (await full.log()).includes('this weftd cannot'),
      );
      equal(first.exitCode, null);
      await run(['mv', `${full.stateDir}/aside`, `${full.stateDir}/identity`]);
      await full.servedBy(first);
      await endProcess(first);
    } finally {
      await full.stop();
      await run(['umount', '-l', full.stateDir], { mayFail: true });
    }
  });

  it('waits for one that is about to start, or to end', async () => {
    const first = await node.succeed();
    await endProcess(first, 'SIGKILL');
    // Two at once: one of them finds the other starting.
    const [a, b] = [node.succeed(), node.succeed()];
    await Promise.allSettled([a, b]);
    const { pid } = await until('somebody to serve', () => node.ask('process').catch(() => undefined));
    ok(pid > 0);
    await node.connected([peer]);
  });
});

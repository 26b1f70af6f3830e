import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { askDaemon } from '../../../control/control-client.io.ts';
import type { FlowFilter, FlowRow, FlowsResult, FlowTotalsResult } from '../../../control/flow-request.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, until } from '../../cluster/command.ts';
import { Follower } from './follower.ts';

type Connection = Extract<FlowRow, { verdict: 'forwarded' }>;

const SERVICE = '10.96.0.10';
const WEFT_NODE = `${import.meta.dirname}/../../../bin/weft-node`;
const BEGIN_CONNECTIONS = `${import.meta.dirname}/../inside/begin-connections.ts`;

/** Whether connection tracking in the node's namespace has a listener, as the kernel lists netlink sockets. */
async function netfilterSockets(node: ClusterNode): Promise<number> {
  const { stdout } = await node.run(['cat', '/proc/net/netlink']);
  // Columns: sk, Eth (protocol), Pid, Groups (the first 32, from 1 on as bits from 0).
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, protocol, , groups]) => protocol === '12' && (Number.parseInt(groups ?? '', 16) & 0b101) !== 0,
    ).length;
}

/** Waits until nobody watches any more. */
async function unwatched(node: ClusterNode): Promise<void> {
  const isOver = async () => (await netfilterSockets(node)) === 0 || undefined;
  await until('the watch to end', isOver, { timeoutMs: 30_000 });
}

describe('weft flows', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;
  let client: ClusterPod;
  let server: ClusterPod;
  const servers: ReturnType<typeof spawn>[] = [];
  const followers: Follower[] = [];

  const follow = async (node: ClusterNode, ...args: string[]): Promise<Follower> => {
    const follower = new Follower(node.runDir, ...args);
    followers.push(follower);
    // It prints what is missing, that pods have no names here, once it follows.
    await until('a follower to follow', () => follower.stderr !== '' || undefined);
    return follower;
  };
  const serve = async (pod: ClusterPod, listen: string): Promise<void> => {
    const [program, ...rest] = inNamespace(pod.namespace, ['socat', listen, 'EXEC:/bin/cat']);
    servers.push(spawn(program!, rest, { stdio: 'ignore' }));
  };
  const talk = (pod: ClusterPod, to: string, text = 'hello\n') =>
    pod.run(['socat', '-t', '2', '-', to], { input: text, mayFail: true });
  const begin = (pod: ClusterPod, count: number) =>
    pod.run([WEFT_NODE, BEGIN_CONNECTIONS, pod.node.host.v4, String(count), '0'], { timeoutMs: 60_000 });
  const open = (node: ClusterNode, filter: FlowFilter = {}): Promise<FlowsResult> =>
    askDaemon(node.runDir, { op: 'flows', want: 'open', cursor: '', limit: 100, filter });

  /** The kernel forgets a connection that is over when it comes across it, at a dump or within a minute. */
  const ended = (node: ClusterNode, filter: FlowFilter): Promise<unknown> =>
    until('the end of it', async () => (await open(node, filter)).rows.length === 0 || undefined);

  before(async () => {
    cluster = await Cluster.create({ prefix: `fl${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.connected(cluster.nodes);
    await near.ready();
    await far.ready();
    client = await near.attachPod('c');
    server = await far.attachPod('s');
    for (const node of [near, far]) {
      for (const [name, value] of [
        ['tcp_timeout_time_wait', 1],
        ['tcp_timeout_close', 1],
        ['udp_timeout', 2],
        ['acct', 1],
        ['timestamp', 1],
      ])
        await node.run(['sysctl', '-qw', `net.netfilter.nf_conntrack_${name}=${value}`]);
    }
    const rules = `table ip service {
      chain in { type nat hook prerouting priority -100; ip daddr ${SERVICE} tcp dport 80 dnat to ${server.v4}:8080; }
    }`.replaceAll('; }', '\n }');
    await near.run(['nft', '-f', '-'], { input: rules });
    await serve(server, 'TCP4-LISTEN:8080,fork,reuseaddr');
    await serve(server, 'UDP6-LISTEN:5353,fork,reuseaddr');
    await until(
      'the servers to listen',
      async () => (await talk(client, `TCP4:${server.v4}:8080`)).stdout !== '',
    );
  });
  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.stop();
  });
  after(async () => {
    for (const child of servers) await endProcess(child);
    await cluster.destroy();
  });

  it('hears nothing of the kernel while nobody watches', async () => {
    await until('the last watch to end', async () => (await netfilterSockets(near)) === 0, {
      timeoutMs: 30_000,
    });
  });

  it('tells a connection through a Service with both its ends, once in the cluster', async () => {
    const atSource = await follow(near, '--port', '80');
    const atTarget = await follow(far);
    await talk(client, `TCP4:${SERVICE}:80`);

    await ended(near, { to: SERVICE });
    const end = (await atSource.row('the end', (row) => row.kind === 'end')) as Connection;
    const start = (await atSource.row('the start', (row) => row.kind === 'start')) as Connection;
    for (const row of [start, end]) {
      equal(row.protocol, 'TCP');
      equal(row.direction, 'out');
      deepEqual(row.service, { address: SERVICE, port: 80 });
      deepEqual([row.source.address, row.source.node], [client.v4, 'n1']);
      deepEqual([row.target.address, row.target.port, row.target.node], [server.v4, 8080, 'n2']);
    }
    ok(end.replied);
    ok(end.sent!.bytes > 6 && end.sent!.packets >= 4, JSON.stringify(end.sent));
    ok(end.received!.bytes > 6);
    ok(end.startedAt! <= end.at && end.at - end.startedAt! < 60_000);

    await talk(client, `TCP4:${server.v4}:8080`);
    await delay(500);
    deepEqual(
      atTarget.rows.filter((row) => 'source' in row && row.source.address === client.v4),
      [],
    );
  });

  it('tells UDP over IPv6, and leaves out what is not asked for', async () => {
    const all = await follow(near);
    const other = await follow(near, '--port', '443');
    await talk(client, `UDP6:[${server.v6}]:5353`);
    const row = (await all.row(
      'the datagram',
      (each) => 'protocol' in each && each.protocol === 'UDP',
    )) as Connection;
    deepEqual([row.kind, row.target.address, row.target.port], ['start', server.v6, 5353]);
    equal(row.service, null);
    deepEqual(other.rows, []);
  });

  it('lists what is open, also what began before anybody watched, and counts what it moved', async () => {
    await until('the last watch to end', async () => (await netfilterSockets(near)) === 0, {
      timeoutMs: 30_000,
    });
    const [program, ...rest] = inNamespace(client.namespace, ['socat', '-', `TCP4:${SERVICE}:80`]);
    const talking = spawn(program!, rest, { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      talking.stdin.write('hello\n');
      const row = await until('the connection to be listed', async () => {
        const { rows } = await open(near, { port: 80, to: SERVICE });
        return rows.find((each) => each.kind === 'live' && each.replied) as Connection | undefined;
      });
      const before = row.sent!.bytes;
      talking.stdin.write('more of it\n');
      await until('its bytes to grow', async () => {
        const { rows } = await open(near, { port: 80, to: SERVICE });
        return rows.some((each) => each.kind === 'live' && (each as Connection).sent!.bytes > before);
      });
      const { stdout, status } = await near.weft('flows', '--port', '80');
      equal(status, 0);
      match(stdout, new RegExp(`open .*${client.v4}:\\d+ > ${server.v4}:8080  via ${SERVICE}:80  sent `));
    } finally {
      await endProcess(talking);
    }
  });

  it('notices at the next look what a flush of connection tracking took away', async () => {
    const watching = await follow(near, '--port', '80');
    const [program, ...rest] = inNamespace(client.namespace, ['socat', '-', `TCP4:${SERVICE}:80`]);
    const talking = spawn(program!, rest, { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      await watching.row('the start', (row) => row.kind === 'start');
      await near.run(['conntrack', '-F']);
      await ended(near, { to: SERVICE });
      await watching.row('the end', (row) => row.kind === 'end' || row.kind === 'gone');
      const { rows } = await open(near, { port: 80 });
      deepEqual(rows, []);
    } finally {
      await endProcess(talking);
    }
  });

  it('holds nothing of a reader that was killed', async () => {
    const watching = await follow(near);
    await watching.stop('SIGKILL');
    await unwatched(near);
    equal((await near.ask('status')).name, 'n1');
  });

  it('shows in the totals what a pair did, and who does the most', async () => {
    await follow(near);
    const asked = { op: 'flowTotals', seconds: 60, wait: false, by: 'connections', limit: 100 } as const;
    const total = async () =>
      (await askDaemon(near.runDir, asked)).rows.find((row) => row.service === SERVICE);
    const before = (await total())?.began ?? 0;
    for (let i = 0; i < 3; i++) await talk(client, `TCP4:${SERVICE}:80`);
    await ended(near, { to: SERVICE });
    const row = (await total())!;
    deepEqual([row.source?.address, row.target.address, row.port], [client.v4, server.v4, 80]);
    equal(row.began - before, 3);
    ok(row.sentBytes > 3 * 6 && row.receivedBytes > 3 * 6, JSON.stringify(row));
    const { stdout } = await near.weft('top', '--by', 'connections', '--seconds', '5');
    match(stdout, new RegExp(`${client.v4} on n1 +${server.v4} on n2 +TCP 80 of ${SERVICE} +\\d+ +\\d+ `));
  });

  it('shows the cluster from any node, and names those that do not answer', async () => {
    const [program, ...rest] = inNamespace(client.namespace, ['socat', '-', `TCP4:${SERVICE}:80`]);
    const talking = spawn(program!, rest, { stdio: ['pipe', 'pipe', 'ignore'] });
    const { pid } = await near.ask('process');
    try {
      talking.stdin.write('hello\n');
      await until('the connection to be seen from the other node', async () => {
        const { stdout } = await far.weft('flows', '--cluster', '--to', SERVICE);
        return stdout.includes(`${client.v4}:`) && stdout.includes('of 2 nodes') ? true : undefined;
      });
      const { stdout } = await far.weft('map', '--cluster');
      match(
        stdout,
        new RegExp(`^${client.v4} on n1\n  > ${server.v4} on n2  TCP 80 of ${SERVICE}  1 open`, 'm'),
      );
      process.kill(pid, 'SIGSTOP');
      const without = await far.weft('--json', 'map', '--cluster');
      deepEqual(
        (JSON.parse(without.stdout) as FlowTotalsResult).silent?.map(({ node }) => node),
        ['n1'],
      );
    } finally {
      process.kill(pid, 'SIGCONT');
      await endProcess(talking);
    }
  });

  it('follows the cluster from any node, and says which node tells no more, and that it tells again', async () => {
    const watching = await follow(far, '--cluster', '--to', SERVICE);
    const { pid } = await near.ask('process');
    const isOfClient = (row: FlowRow): boolean => 'source' in row && row.source.address === client.v4;
    await talk(client, `TCP4:${SERVICE}:80`);
    await watching.row('the start', (row) => row.kind === 'start' && isOfClient(row));
    const stopped = performance.now();
    process.kill(pid, 'SIGSTOP');
    try {
      await watching.row('the silence', (row) => row.kind === 'silent' && row.node === 'n1');
      console.log(`      a stopped node was named after ${Math.round(performance.now() - stopped)} ms`);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await talk(client, `TCP4:${SERVICE}:80`);
    await watching.row('its return', (row) => row.kind === 'tells' && row.node === 'n1');
    await until('both connections', () => {
      const starts = watching.rows.filter((row) => row.kind === 'start' && isOfClient(row));
      return starts.length === 2;
    });
    const last = await far.weft('--json', 'flows', '--cluster', '--last', '10', '--to', SERVICE);
    ok((JSON.parse(last.stdout) as FlowsResult).rows.some(isOfClient), last.stdout);
  });

  // The floods come last: while they are among the totals, a pair of few connections falls into the rest.

  it('shows a gap where events were lost, and finds with a dump what lives', async () => {
    const watching = await follow(near);
    const { pid } = await near.ask('process');
    // Stopped, weftd reads nothing, and the kernel has no room for what comes.
    process.kill(pid, 'SIGSTOP');
    try {
      await begin(client, 60_000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const gap = await watching.row('the gap', (row) => row.kind === 'gap');
    ok(gap.kind === 'gap' && gap.reason === 'overrun');
    await watching.row('the repair', (row) => row.kind === 'repaired', 40_000);
    const { counters } = await near.ask('report');
    ok(counters['flow.overruns']! > 0);
  });

  it('tells a reader that is too slow how much it lost', async () => {
    const watching = await follow(near);
    const first = await askDaemon(near.runDir, {
      op: 'flows',
      want: 'follow',
      cursor: '',
      limit: 10,
      filter: {},
    });
    await begin(client, 30_000);
    await delay(1_000);
    const { cursor } = first;
    const second = await askDaemon(near.runDir, {
      op: 'flows',
      want: 'follow',
      cursor,
      limit: 10,
      filter: {},
    });
    ok(second.lost > 1_000, String(second.lost));
    equal(second.rows.length, 10);
    ok(watching.rows.length > 0);
  });
});

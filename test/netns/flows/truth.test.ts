import { deepEqual, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { askDaemon } from '../../../control/control-client.io.ts';
import type { FlowRow } from '../../../control/flow-request.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';
import type { Host } from '../../cluster/underlay.ts';
import { seededRandom } from '../../seeded-random.ts';
import { Follower } from './follower.ts';

type Connection = Extract<FlowRow, { verdict: 'forwarded' }>;

/** Connections of one kind, as they were made. */
interface Planned {
  readonly what: string;
  /** Where they begin: a namespace. */
  readonly from: string;
  /** Address and port to which they are sent, and where they go. */
  readonly to: readonly [address: string, port: number];
  readonly protocol: 'TCP' | 'UDP';
  readonly source: string;
  readonly target: readonly [address: string, port: number];
  /** Bytes that each sends, all of which come back. */
  readonly payloads: readonly number[];
}

const SERVICES = { 4: '10.96.0.20', 6: 'fd96::20' } as const;
const NODE_PORT = 30_080;
const MOST_CONNECTIONS = 4;
const MOST_BYTES = 20_000;
const MOST_DATAGRAM_BYTES = 1_000;
/** Of each packet, beside what a program sends: headers of IP and TCP with options. */
const HEADER_BYTES = 100;
/** What TCP sends twice where a busy machine keeps it waiting has gone by twice. */
const TWICE_BYTES = 5_000;

function is4(address: string): boolean {
  return !address.includes(':');
}

/** What was done is what is told: a seeded plan of connections, against the rows of the whole cluster. */
describe('the truth of flows', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;
  let outside: Host;
  let plan: readonly Planned[];
  const children: ChildProcess[] = [];

  before(async () => {
    cluster = await Cluster.create({ prefix: `tr${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.connected([far]);
    await near.ready();
    await far.ready();
    outside = await cluster.underlay.addHost('out', 99);
    const client = await near.attachPod('c');
    const beside = await near.attachPod('b');
    const server = await far.attachPod('s');
    for (const node of [near, far])
      for (const [name, value] of [
        ['tcp_timeout_time_wait', 1],
        ['tcp_timeout_close', 1],
        ['udp_timeout', 2],
        ['udp_timeout_stream', 2],
        ['acct', 1],
      ])
        await node.run(['sysctl', '-qw', `net.netfilter.nf_conntrack_${name}=${value}`]);
    await near.run(['nft', '-f', '-'], { input: rulesFor(near, server) });
    for (const namespace of [server.namespace, beside.namespace, near.namespace, outside.namespace])
      for (const listen of ['TCP6-LISTEN:8080', 'UDP6-LISTEN:5353'])
        start(namespace, 'socat', `${listen},ipv6only=0,fork,reuseaddr`, 'EXEC:/bin/cat');
    plan = planOf({ client, beside, server }, (await near.ask('status')).addresses);
    await until('the servers to listen', async () => {
      const sockets = await Promise.all(
        [server.namespace, beside.namespace, near.namespace, outside.namespace].map((namespace) =>
          run(['ss', '-Hltun'], { namespace }),
        ),
      );
      return sockets.every(({ stdout }) => stdout.includes(':8080 ') && stdout.includes(':5353 '));
    });
  });
  after(async () => {
    for (const child of children) await endProcess(child);
    await cluster?.destroy();
  });

  function start(namespace: string, ...argv: string[]): void {
    const [program, ...rest] = inNamespace(namespace, argv);
    children.push(spawn(program!, rest, { stdio: 'ignore' }));
  }

  /** `own`: addresses of the near node. */
  function planOf(
    { client, beside, server }: Readonly<Record<'client' | 'beside' | 'server', ClusterPod>>,
    own: readonly string[],
  ): Planned[] {
    const random = seededRandom(14);
    const numberUpTo = (most: number): number => {
      const [a = 0, b = 0] = random.bytes(2);
      return 1 + ((a * 256 + b) % most);
    };
    const planned = (
      what: string,
      from: { readonly namespace: string; readonly address: string },
      to: readonly [string, number],
      target = to,
      protocol: 'TCP' | 'UDP' = 'TCP',
    ): Planned => ({
      ...{ what, from: from.namespace, to, protocol, source: from.address, target },
      payloads: Array.from({ length: numberUpTo(MOST_CONNECTIONS) }, () =>
        numberUpTo(protocol === 'TCP' ? MOST_BYTES : MOST_DATAGRAM_BYTES),
      ),
    });
    const pod4 = { namespace: client.namespace, address: client.v4 };
    const pod6 = { namespace: client.namespace, address: client.v6 };
    const node4 = { namespace: near.namespace, address: own.find(is4)! };
    const node6 = { namespace: near.namespace, address: own.find((address) => !is4(address))! };
    const other = { namespace: outside.namespace, address: outside.v4 };
    return [
      planned('pod to pod, TCP', pod4, [server.v4, 8080]),
      planned('pod to pod, TCP, IPv6', pod6, [server.v6, 8080]),
      planned('pod to pod, UDP', pod4, [server.v4, 5353], undefined, 'UDP'),
      planned('pod to pod, UDP, IPv6', pod6, [server.v6, 5353], undefined, 'UDP'),
      planned('pod to pod of its node', pod4, [beside.v4, 8080]),
      planned('pod to pod of its node, IPv6', pod6, [beside.v6, 8080]),
      planned('ClusterIP', pod4, [SERVICES[4], 80], [server.v4, 8080]),
      planned('ClusterIP, IPv6', pod6, [SERVICES[6], 80], [server.v6, 8080]),
      planned('pod to its host', pod4, [near.host.v4, 8080]),
      planned('pod to outside', pod4, [outside.v4, 8080]),
      planned('host to pod of another', node4, [server.v4, 8080]),
      planned('host to pod of another, IPv6', node6, [server.v6, 8080]),
      // The kernel takes the host's address in the network outside for it.
      planned('host to its pod', { ...node4, address: near.host.v4 }, [beside.v4, 8080]),
      planned('NodePort from outside', other, [near.host.v4, NODE_PORT], [server.v4, 8080]),
    ];
  }

  /** One connection after the other. */
  async function carryOut({ what, from, to, protocol, payloads }: Planned): Promise<void> {
    const [address, port] = to;
    const host = is4(address) ? address : `[${address}]`;
    const target = `${protocol}${is4(address) ? 4 : 6}:${host}:${port}`;
    for (const bytes of payloads) {
      const argv = ['socat', '-b', '32768', '-t', protocol === 'TCP' ? '3' : '0.4', '-', target];
      const { stdout } = await run(argv, { namespace: from, input: 'x'.repeat(bytes) });
      deepEqual([what, stdout.length], [what, bytes]);
    }
  }

  it('are the connections that were made, each once, and their bytes', async () => {
    const follower = new Follower(far.runDir, '--cluster');
    try {
      await until('it to follow', () => follower.stderr !== '');
      for (const planned of plan) await carryOut(planned);
      const rowsOf = ({ protocol, source, target, to }: Planned, kind: string): Connection[] =>
        follower.rows.filter(
          (row): row is Connection =>
            'verdict' in row &&
            row.verdict === 'forwarded' &&
            row.kind === kind &&
            row.protocol === protocol &&
            row.source.address === source &&
            row.target.address === target[0] &&
            row.target.port === target[1] &&
            (row.service?.address ?? target[0]) === to[0],
        );
      const look = (node: ClusterNode): Promise<unknown> =>
        askDaemon(node.runDir, { op: 'flows', want: 'open', cursor: '', limit: 1, filter: {} });
      await until(
        'all to have ended',
        async () => {
          // The kernel forgets a connection that is over when a look comes across it.
          await Promise.all([look(near), look(far)]);
          return plan.every((each) => rowsOf(each, 'end').length >= each.payloads.length);
        },
        { timeoutMs: 60_000 },
      ).catch((error: unknown) => {
        const missing = plan.filter((each) => rowsOf(each, 'end').length < each.payloads.length);
        throw new Error(`${String(error)}: ${JSON.stringify(missing)} ${JSON.stringify(follower.rows)}`);
      });
      for (const planned of plan) {
        const { what, payloads } = planned;
        for (const kind of ['start', 'end'])
          deepEqual([what, kind, rowsOf(planned, kind).length], [what, kind, payloads.length]);
        const sorted = rowsOf(planned, 'end').sort((a, b) => a.sent!.bytes - b.sent!.bytes);
        for (const [i, payload] of payloads.toSorted((a, b) => a - b).entries())
          for (const { bytes, packets } of [sorted[i]!.sent!, sorted[i]!.received!])
            ok(
              bytes > payload && bytes <= payload + packets * HEADER_BYTES + TWICE_BYTES,
              `${what}: ${payload} bytes are ${bytes} in ${packets} packets`,
            );
      }
      const known = plan.flatMap((each) => [...rowsOf(each, 'start'), ...rowsOf(each, 'end')]);
      const ours = new Set(plan.map(({ source }) => source));
      const more = follower.rows.filter(
        (row) =>
          'source' in row &&
          ours.has(row.source.address) &&
          row.kind !== 'update' &&
          !known.includes(row as Connection),
      );
      deepEqual(more, [], 'nothing is told that was not done');
    } finally {
      await follower.stop();
    }
  });

  it('are what pairs did, added up', async () => {
    const question = {
      op: 'flowTotals',
      seconds: 600,
      wait: false,
      by: 'connections',
      limit: 1_000,
    } as const;
    const { rows } = await askDaemon(far.runDir, { ...question, cluster: true });
    for (const { what, source, target, to, payloads, protocol } of plan) {
      const isOutside = [outside.v4, near.host.v4].includes(source);
      const pairs = rows.filter(
        (row) =>
          (isOutside ? row.source === null : row.source?.address === source) &&
          row.target.address === target[0] &&
          row.target.port === target[1] &&
          row.protocol === protocol &&
          (row.service ?? target[0]) === to[0],
      );
      const began = pairs.reduce((sum, row) => sum + row.began, 0);
      deepEqual([what, pairs.length, began], [what, 1, payloads.length]);
      const sent = payloads.reduce((sum, bytes) => sum + bytes, 0);
      ok(
        pairs[0]!.sentBytes > sent && pairs[0]!.sentBytes < sent + payloads.length * 30 * HEADER_BYTES,
        what,
      );
    }
  });
});

/** As kube-proxy would: two Services and a NodePort, of which the node takes the sender's place. */
function rulesFor({ host }: ClusterNode, { v4, v6 }: { readonly v4: string; readonly v6: string }): string {
  return `
table ip service {
  chain in {
    type nat hook prerouting priority -100
    ip daddr ${SERVICES[4]} tcp dport 80 dnat to ${v4}:8080
    ip daddr ${host.v4} tcp dport ${NODE_PORT} dnat to ${v4}:8080
  }
  chain out {
    type nat hook postrouting priority 90
    oifname "weft0" iifname "eth0" ct status dnat masquerade
  }
}
table ip6 service {
  chain in {
    type nat hook prerouting priority -100
    ip6 daddr ${SERVICES[6]} tcp dport 80 dnat to [${v6}]:8080
  }
}
`;
}

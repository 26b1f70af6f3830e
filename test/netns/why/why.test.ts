import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { WhyResult } from '../../../why/why.io.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { until } from '../../cluster/command.ts';

const WEFT = new URL('../../../bin/weft', import.meta.url).pathname;

interface Answer extends WhyResult {
  readonly status: number;
}

/** Runs `weft why` on a node's host, as an operator would. */
async function why(node: ClusterNode, source: string, target: string, port: string): Promise<Answer> {
  const argv = [WEFT, '--run-dir', node.runDir, '--json', 'why', source, target, port];
  const { status, stdout, stderr } = await node.run(argv, { mayFail: true });
  ok(stdout.startsWith('{'), stderr);
  return { status, ...(JSON.parse(stdout) as WhyResult) };
}

/** `station: because` of a pair that cannot talk. */
function dropped({ status, verdict, findings }: Answer): string {
  ok(!verdict.talk, JSON.stringify(findings, undefined, 1));
  equal(status, 1);
  ok(verdict.remedy !== '', 'it says what to do');
  return `${verdict.station}: ${verdict.because}`;
}

describe('weft why', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;
  let a: ClusterPod;
  let b: ClusterPod;
  let c: ClusterPod;

  before(async () => {
    cluster = await Cluster.create({ prefix: `wy${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.ready();
    await far.ready();
    await near.connected([far]);
    [a, b, c] = [await near.attachPod('a'), await near.attachPod('b'), await far.attachPod('c')];
  });
  after(() => cluster?.destroy());

  it('says that two sound pods can talk, here and over the tunnel, in both families', async () => {
    for (const target of [b, c]) {
      for (const [from, to] of [
        [a.v4, target.v4],
        [a.v6, target.v6],
      ] as const) {
        const { status, verdict, findings } = await why(near, from, to, '80');
        deepEqual(verdict.talk, true, JSON.stringify(findings));
        equal(status, 0);
      }
    }
  });

  it('takes the id of a container, and the name of a node', async () => {
    const { source, target, status } = await why(near, a.containerId, 'n2', 'ping');
    deepEqual([source.address, target.node, status], [a.v4, 'n2', 0]);
  });

  it('says on which node to ask where the source is elsewhere', async () => {
    const { status, stderr } = await near.weft('why', c.v4, a.v4, '80');
    equal(status, 1);
    match(stderr, /is on n2, .*run weft why on n2/);
  });

  it('refuses what is no port and no pod', async () => {
    equal((await near.weft('why', a.v4, b.v4, '0')).status, 2);
    const { status, stderr } = await near.weft('why', 'default/nobody', b.v4, '80');
    equal(status, 1);
    match(stderr, /nobody on this node knows .*default\/nobody; give its address or its container id/);
  });

  /** One thing is wrong at a time. `undo` is run whatever came of it. */
  const FAULTS: readonly {
    readonly what: string;
    readonly cause: () => Promise<unknown>;
    readonly undo: () => Promise<unknown>;
    readonly target?: () => string;
    readonly source?: () => string;
    readonly expected: RegExp;
  }[] = [
    {
      what: 'a packet filter of another program',
      cause: () => near.run(['nft', '-f', '-'], { input: FOREIGN_DROP }),
      undo: () => near.run(['nft', 'delete', 'table', 'inet', 'other']),
      expected: /^packet filters: the chain f of the nftables table inet other drops /,
    },
    {
      what: 'forwarding that is off',
      cause: () => keepAt(near, 'sysctl -qw net.ipv4.ip_forward=0', 'cat /proc/sys/net/ipv4/ip_forward', '0'),
      undo: () => near.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1']),
      expected: /^forwarding: IPv4 forwarding is off/,
    },
    {
      what: 'a rule that leads packets elsewhere',
      cause: () =>
        near.run([
          'sh',
          '-c',
          `ip route add blackhole default table 77; ip rule add to ${c.v4} lookup 77 pref 10`,
        ]),
      undo: () => near.run(['sh', '-c', `ip rule del pref 10; ip route flush table 77`]),
      expected: /^route: the routing rule 10 \(lookup 77\) takes packets for pods/,
    },
    {
      what: 'a route that leads packets past the tunnel',
      cause: () => near.run(['ip', 'route', 'add', `${c.v4}/32`, 'via', far.host.v4]),
      undo: () => near.run(['ip', 'route', 'del', `${c.v4}/32`, 'via', far.host.v4]),
      expected: /^route: packets to .* leave n1 by eth0 via .* instead of weft0: the route /,
    },
    {
      what: 'an address that no pod of this node has',
      cause: async () => undefined,
      undo: async () => undefined,
      target: () => b.v4.replace(/\d+$/, '200'),
      expected: /^target: .* and no pod has it$/,
    },
    {
      what: 'a source that is no pod',
      cause: async () => undefined,
      undo: async () => undefined,
      source: () => b.v4.replace(/\d+$/, '201'),
      expected: /^source: .* is of no pod of n1$/,
    },
    {
      what: 'a source whose address leads to another pod',
      cause: async () => {
        const { link } = await linkOf(b);
        await keepAt(near, `ip route replace ${a.v4} dev ${link}`, `ip route get ${a.v4}`, link);
      },
      undo: async () =>
        near.run(['ip', 'route', 'replace', a.v4, 'dev', (await linkOf(a)).link, 'proto', '87']),
      expected: /^source: the route for .* leads to wv/,
    },
    {
      what: 'UDP that is blocked one way',
      cause: async () => {
        await near.run(['nft', '-f', '-'], { input: UDP_BLOCK });
        await until(
          'the tunnel to break',
          async () => ['unreachable', 'connecting'].includes((await near.ask('status')).peers[0]!.state),
          { timeoutMs: 60_000 },
        );
      },
      undo: async () => {
        await near.run(['nft', 'delete', 'table', 'inet', 'block']);
        await near.connected([far], 60_000);
      },
      expected: /^tunnel: peer n2: no tunnel .*UDP is not answered, while TCP to .* is answered/,
    },
    {
      what: 'a peer that is down',
      cause: async () => {
        await far.stop('SIGKILL');
        await until(
          'the peer to be missed',
          async () =>
            ['unreachable', 'dead', 'connecting'].includes((await near.ask('status')).peers[0]!.state),
          { timeoutMs: 60_000 },
        );
      },
      undo: async () => {
        await far.start();
        await near.connected([far], 60_000);
      },
      expected: /^tunnel: peer n2: (no tunnel|does not answer)/,
    },
  ];

  for (const { what, cause, undo, source, target, expected } of FAULTS) {
    it(`finds ${what}`, async () => {
      try {
        await cause();
        match(dropped(await why(near, source?.() ?? a.v4, target?.() ?? c.v4, '80')), expected);
      } finally {
        await undo();
      }
    });
  }

  async function linkOf(pod: ClusterPod): Promise<{ readonly link: string }> {
    const { stdout } = await pod.node.run(['ip', '-o', 'link']);
    const line = stdout.split('\n').find((each) => each.includes(`alias ${pod.containerId}/`));
    return { link: /(wv[0-9a-f]{11})/.exec(line ?? '')![1]! };
  }
});

const FOREIGN_DROP = 'table inet other { chain f { type filter hook forward priority 0; policy drop; }; }';
const UDP_BLOCK =
  'table inet block { chain in { type filter hook input priority -300; udp dport 6783 drop; }; }';

/** Does again what weftd repairs, until weftd, which repairs such a thing ever more rarely, leaves it for six seconds. */
async function keepAt(node: ClusterNode, command: string, look: string, expected: string): Promise<void> {
  const script = `for i in $(seq 40); do
    ${command}
    for j in $(seq 12); do sleep 0.5; ${look} | grep -q ${expected} || continue 2; done
    exit 0
  done
  exit 1`;
  await node.run(['sh', '-c', script], { timeoutMs: 120_000 });
}

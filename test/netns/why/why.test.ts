import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Finding } from '../../../doctor/finding.ts';
import type { WhyResult } from '../../../why/why.io.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, until } from '../../cluster/command.ts';

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

function says(answer: Answer, expected: RegExp): boolean {
  return !answer.verdict.talk && expected.test(dropped(answer));
}

describe('weft why', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;
  let a: ClusterPod;
  let b: ClusterPod;
  let c: ClusterPod;
  const servers: ChildProcess[] = [];

  before(async () => {
    cluster = await Cluster.create({ prefix: `wy${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.ready();
    await far.ready();
    await near.connected([far]);
    [a, b, c] = [await near.attachPod('a'), await near.attachPod('b'), await far.attachPod('c')];
    for (const pod of [b, c]) servers.push(await serve(pod));
  });
  after(async () => {
    for (const server of servers) await endProcess(server, 'SIGKILL');
    await cluster?.destroy();
  });

  it('says that two sound pods can talk, here and over the tunnel, in both families', async () => {
    for (const target of [b, c]) {
      for (const [from, to] of [
        [a.v4, target.v4],
        [a.v6, target.v6],
      ] as const) {
        const { status, verdict, findings } = await why(near, from, to, '80');
        deepEqual(verdict.talk, true, JSON.stringify({ verdict, findings }));
        match(verdict.because, /^the target accepts connections there/);
        equal(status, 0);
        match(seen(findings, 'size'), /^packets of 1364 bytes get through/);
      }
    }
  });

  it('takes the id of a container, and the name of a node', async () => {
    const { source, target, status } = await why(near, a.containerId, 'n2', 'ping');
    deepEqual([source.address, target.node, status], [a.v4, 'n2', 0]);
  });

  it('traces the probe at each station, there and back', async () => {
    const { findings } = await why(near, a.v4, c.v4, '80');
    match(
      seen(findings, 'probe'),
      /^there by n1: wv\w+ → weft0, n2: weft0 → wv\w+; back by n2: wv\w+ → weft0, n1: weft0 → wv\w+$/,
    );
  });

  it('leaves no connection in the target and nothing on either node', async () => {
    const left = async (node: ClusterNode): Promise<string> =>
      (
        await node.run(
          ['sh', '-c', 'nft list tables | grep weft-why; ip -o link show type tun | grep -v weft0'],
          { mayFail: true },
        )
      ).stdout;
    await why(near, a.v4, c.v4, '80');
    await until('the tables to be gone', async () => (await left(near)) + (await left(far)) === '', {
      timeoutMs: 15_000,
    });
    const { stdout } = await c.run(['ss', '-Htan', 'state', 'connected', 'sport', '=', ':80']);
    equal(stdout, '');
  });

  it('says of a datagram that nobody answers how far it came', async () => {
    const { verdict, status } = await why(near, a.v4, c.v4, '81/udp');
    equal(status, 0, JSON.stringify(verdict));
    match(verdict.because, /^the datagram reaches wv\w+ of n2; nobody answered it/);
  });

  it('looks through a Service at the endpoint that it becomes', async () => {
    const dnat = `table ip other-nat { chain p { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 8080 dnat to ${c.v4}:80; }; }`;
    await near.run(['nft', '-f', '-'], { input: dnat });
    try {
      const { findings, target, status } = await why(near, a.v4, '10.96.0.1', '8080');
      equal(status, 0, JSON.stringify(findings));
      match(
        seen(findings, 'service'),
        new RegExp(`^10.96.0.1 port 8080 is a Service; this time its endpoint is ${c.v4} port 80`),
      );
      equal(target.node, 'n2');
    } finally {
      await near.run(['nft', 'delete', 'table', 'ip', 'other-nat']);
    }
  });

  it('looks only, where it is told to', async () => {
    const { stdout } = await near.weft('--json', 'why', '--no-probe', a.v4, c.v4, '80');
    const { probe, findings } = JSON.parse(stdout) as WhyResult;
    equal(probe, null);
    equal(seen(findings, 'probe'), 'not asked for');
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
    readonly port?: string;
    readonly expected: RegExp;
    /** What is wrong is repaired for a moment now and then; a question may fall into that moment. */
    readonly fleeting?: boolean;
  }[] = [
    {
      what: 'a packet filter of another program',
      cause: () => near.run(['nft', '-f', '-'], { input: FOREIGN_DROP }),
      undo: () => near.run(['nft', 'delete', 'table', 'inet', 'other']),
      expected: /^packet filters: the policy of the chain f of the nftables table inet other drops it on n1/,
    },
    {
      what: 'forwarding that is off',
      cause: () => contest(near),
      undo: () => yieldTo(near),
      expected: /^forwarding: IPv4 forwarding is off/,
      fleeting: true,
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
      what: 'a route to the pods of others that is missing',
      cause: () => contest(near, 'ip route del 10.32.0.0/13 dev weft0 2>/dev/null'),
      undo: async () => {
        await endContest();
        // weftd repairs ever more rarely by then.
        await near.run([
          'ip',
          'route',
          'replace',
          '10.32.0.0/13',
          'dev',
          'weft0',
          'proto',
          '87',
          'metric',
          '50',
        ]);
      },
      expected: /^route: packets to .* go nowhere \(EINVAL\): .*/,
      fleeting: true,
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
        const script = `ip route add ${a.v4} dev ${link} table 78; ip rule add to ${a.v4} lookup 78 pref 11`;
        await near.run(['sh', '-c', script]);
      },
      undo: () => near.run(['sh', '-c', 'ip rule del pref 11; ip route flush table 78']),
      expected: /^source: the route for .* leads to wv/,
    },
    {
      what: 'an address that no pod of a peer has',
      cause: async () => undefined,
      undo: async () => undefined,
      target: () => c.v4.replace(/\d+$/, '202'),
      expected: /^target: no pod of n2 has /,
    },
    {
      what: 'a port on which nobody listens',
      cause: async () => undefined,
      undo: async () => undefined,
      port: '82',
      expected: /^target: the target is reached, and no process listens on TCP 82 \(RST\)/,
    },
    {
      what: 'a port on which nobody listens for datagrams',
      cause: async () => undefined,
      undo: async () => undefined,
      port: '82/udp',
      expected: /^target: the target is reached, and no process listens on UDP 82 \(ICMP port unreachable\)/,
    },
    {
      what: 'a target that filters packets itself',
      cause: () => c.run(['nft', '-f', '-'], { input: OWN_FILTER }),
      undo: () => c.run(['nft', 'delete', 'table', 'inet', 'own']),
      expected: /^target: the packet reaches wv\w+ of n2, and the target does not answer at all/,
    },
    {
      what: "a packet filter on the target's node",
      cause: () => far.run(['nft', '-f', '-'], { input: FOREIGN_DROP }),
      undo: () => far.run(['nft', 'delete', 'table', 'inet', 'other']),
      expected: /^packet filters: the policy of the chain f of the nftables table inet other drops it on n2/,
    },
    {
      what: 'a packet filter that drops the answer',
      cause: () => far.run(['nft', '-f', '-'], { input: ANSWER_DROP }),
      undo: () => far.run(['nft', 'delete', 'table', 'inet', 'other']),
      expected:
        /^packet filters: the rule with handle \d+ of the chain f of the nftables table inet other drops the answer on n2/,
    },
    {
      what: 'an old iptables that drops',
      cause: () => near.run(['iptables-legacy', '-P', 'FORWARD', 'DROP']),
      undo: () => near.run(['iptables-legacy', '-P', 'FORWARD', 'ACCEPT']),
      expected: /^packet filters: the chain FORWARD of the iptables-legacy table ip filter drops/,
    },
    {
      what: "forwarding that is off on the target's node",
      cause: () => contest(far),
      undo: () => yieldTo(far),
      expected: /^forwarding: forwarding is off on n2/,
      fleeting: true,
    },
    {
      what: 'large packets that are lost',
      cause: () => far.run(['nft', '-f', '-'], { input: LARGE_DROP }),
      undo: () => far.run(['nft', 'delete', 'table', 'inet', 'other']),
      expected: /^size: small packets get through, those of 1364 bytes are lost/,
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

  for (const { what, cause, undo, source, target, port, expected, fleeting } of FAULTS) {
    it(`finds ${what}`, async () => {
      const ask = (): Promise<Answer> => why(near, source?.() ?? a.v4, target?.() ?? c.v4, port ?? '80');
      try {
        await cause();
        let answer = await ask();
        for (let tries = 1; fleeting && tries < 5 && !says(answer, expected); tries++) answer = await ask();
        match(dropped(answer), expected);
      } finally {
        await undo();
      }
    });
  }

  let contestant: ChildProcess | undefined;

  /** Does something again and again, until weftd repairs it ever more rarely; and goes on with it. */
  async function contest(node: ClusterNode, what = 'sysctl -qw net.ipv4.ip_forward=0'): Promise<void> {
    const script = `while :; do ${what}; sleep 0.02; done`;
    const [command, ...args] = inNamespace(node.namespace, ['sh', '-c', script]);
    contestant = spawn(command!, args, { stdio: 'ignore' });
    await until('weftd to say that somebody undoes it', async () =>
      (await node.ask('status')).problems?.some(({ code }) => code === 'W_REPAIR_UNDONE'),
    );
  }

  async function endContest(): Promise<void> {
    if (contestant) await endProcess(contestant, 'SIGKILL');
  }

  async function yieldTo(node: ClusterNode): Promise<void> {
    await endContest();
    await node.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  }

  async function linkOf(pod: ClusterPod): Promise<{ readonly link: string }> {
    const { stdout } = await pod.node.run(['ip', '-o', 'link']);
    const line = stdout.split('\n').find((each) => each.includes(`alias ${pod.containerId}/`));
    return { link: /(wv[0-9a-f]{11})/.exec(line ?? '')![1]! };
  }
});

/** Something that accepts connections at port 80, and takes datagrams at 81 without an answer. */
async function serve(pod: ClusterPod): Promise<ChildProcess> {
  const program = `require('node:net').createServer().listen(80, '::', () => console.log('listening'));
    require('node:dgram').createSocket('udp6').bind(81)`;
  const [command, ...args] = inNamespace(pod.namespace, [process.execPath, '-e', program]);
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

function seen(findings: readonly Finding[], check: string): string {
  return findings.find((each) => each.check === check)?.seen ?? `no finding ${check}`;
}

const OWN_FILTER = 'table inet own { chain f { type filter hook input priority 0; tcp dport 80 drop; }; }';
const ANSWER_DROP =
  'table inet other { chain f { type filter hook forward priority 0; tcp sport 80 drop; }; }';
const LARGE_DROP =
  'table inet other { chain f { type filter hook input priority 0; udp dport 6783 meta length > 1380 drop; }; }';
const FOREIGN_DROP = 'table inet other { chain f { type filter hook forward priority 0; policy drop; }; }';
const UDP_BLOCK =
  'table inet block { chain in { type filter hook input priority -300; udp dport 6783 drop; }; }';

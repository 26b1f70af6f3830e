import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Finding } from '../../../doctor/finding.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';

const WEFT = new URL('../../../bin/weft', import.meta.url).pathname;
const WORKLOADS = ['weft-test-a', 'weft-test-b'];
/** On a host, as what pods want of the world; the port of Weft itself is shut to them. */
const SERVER =
  "require('node:net').createServer((socket) => socket.end()).listen(8443, () => console.log('there'))";

interface Answer {
  readonly status: number;
  readonly well: boolean;
  readonly findings: readonly Finding[];
}

/** Runs `weft test` on a node's host, as an operator would. */
async function test(node: ClusterNode, ...flags: string[]): Promise<Answer> {
  const argv = [WEFT, '--run-dir', node.runDir, '--json', 'test', ...flags];
  const { status, stdout, stderr } = await node.run(argv, { mayFail: true, timeoutMs: 150_000 });
  ok(stdout.startsWith('{'), stderr);
  return { status, ...(JSON.parse(stdout) as { well: boolean; findings: Finding[] }) };
}

function start(node: ClusterNode): ChildProcess {
  const [program, ...args] = inNamespace(node.namespace, [WEFT, '--run-dir', node.runDir, 'test']);
  return spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

function unwell({ findings }: Answer): Finding[] {
  return findings.filter(({ verdict }) => verdict === 'fault' || verdict === 'warning');
}

function seen({ findings }: Answer, check: RegExp): string {
  const finding = findings.find((each) => check.test(each.check));
  ok(finding, `${check} in ${findings.map((each) => each.check).join('; ')}`);
  return `${finding.verdict} ${finding.seen}`;
}

describe('weft test on plain hosts', function () {
  this.timeout(200_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;

  before(async () => {
    cluster = await Cluster.create({ prefix: `wt${process.pid % 10_000}` });
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.ready();
    await far.ready();
    await near.connected([far]);
  });
  after(() => cluster?.destroy());

  /** Of the workloads: namespaces, attachments, processes. */
  async function left(): Promise<string[]> {
    const { allocations } = await near.ask('ipam');
    const { stdout } = await run(['ps', '-eo', 'args']);
    return [
      ...WORKLOADS.filter((name) => existsSync(`/run/netns/${name}`)),
      ...allocations.map(({ containerId }) => containerId).filter((id) => WORKLOADS.includes(id)),
      ...stdout.split('\n').filter((line) => line.includes('connectivity/agent.ts')),
    ];
  }

  it('finds all well with two sound nodes, in both families, and leaves nothing', async () => {
    const result = await test(near);
    deepEqual(unwell(result), []);
    deepEqual([result.status, result.well], [0, true]);
    for (const family of ['IPv4', 'IPv6']) {
      match(
        seen(result, new RegExp(`^pod to pod of this node, ${family}, TCP$`)),
        /^ok answered in [\d.]+ ms/,
      );
      match(seen(result, new RegExp(`^pod to pod of this node, ${family}, UDP$`)), /^ok answered in/);
      match(seen(result, new RegExp(`^pod to pod of this node, ${family}, 1 MB$`)), /^ok there and back in/);
      match(
        seen(result, new RegExp(`^pod to pod of this node, ${family}, largest`)),
        /^ok packets of \d{4} bytes pass, there and back/,
      );
      match(seen(result, new RegExp(`^pod to its node, ${family}$`)), /^ok .* answers/);
      match(seen(result, new RegExp(`^node to its pod, ${family}$`)), /^ok answered/);
      match(seen(result, new RegExp(`^pod to node n2, ${family}$`)), /^ok .* answers/);
      match(
        seen(result, new RegExp(`^pod to node n2, ${family}, largest`)),
        /^ok packets of 1364 bytes pass/,
      );
    }
    match(
      seen(result, /^encryption$/),
      /^ok all 6 packets for n2 went into weft0; none of \d+ packets on .* holds/,
    );
    for (const [check, why] of [
      [/^Services$/, /^skipped a plain host has none/],
      [/^DNS$/, /^skipped/],
      [/^policies$/, /^skipped/],
      [/^outside$/, /^skipped no address was given; .*--outside/],
    ] as const)
      match(seen(result, check), why);
    deepEqual(await left(), []);
  });

  it('tells each finding as it is made', async () => {
    const child = start(near);
    const { text, first } = await printed(child);
    ok(first > 0);
    match(text, /^ok {7}workloads: two on n1: .*\nok {7}pod to pod of this node, IPv4, TCP: answered/);
    match(text, /\n\n\d+ ok, 0 warnings, 0 faults, 4 skipped\n$/);
  });

  it('finds what lies outside, and what does not', async () => {
    const [program, ...args] = inNamespace(far.namespace, [process.execPath, '-e', SERVER]);
    const server = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(server.stdout, 'data');
    const outside = ['--outside', `${far.host.v4}:8443`, '--outside', '192.0.2.200:443'];
    const result = await test(near, ...outside).finally(() => endProcess(server, 'SIGKILL'));
    match(seen(result, new RegExp(`^outside, IPv4, ${far.host.v4}$`)), /^ok/);
    match(seen(result, /^outside, IPv4, 192.0.2.200$/), /^fault (no way leads to|.* does not answer)/);
    equal(result.status, 1);
  });

  it('finds a packet filter of another program', async () => {
    const rules =
      'table inet other { chain f { type filter hook forward priority 0; iifname "wv*" ip daddr 10.0.0.0/8 udp dport 8080 drop; }; }';
    await near.run(['nft', '-f', '-'], { input: rules });
    try {
      const result = await test(near);
      deepEqual(
        unwell(result).map(({ check }) => check),
        ['pod to pod of this node, IPv4, UDP', 'pod to pod of this node, IPv4, largest packet'],
      );
      match(unwell(result)[0]!.remedy!, /^ask 'weft why weft-test-a 10\.\S+ 8080\/udp' on n1$/);
      equal(result.status, 1);
    } finally {
      await near.run(['nft', 'delete', 'table', 'inet', 'other']);
    }
  });

  it('finds that large packets are lost between the nodes, until Weft has found their size', async () => {
    const rules =
      'table inet other { chain f { type filter hook input priority 0; udp dport 6783 meta length > 1380 drop; }; }';
    await far.run(['nft', '-f', '-'], { input: rules });
    try {
      const first = await test(near);
      match(
        seen(first, /n2, IPv4, largest/),
        /^fault packets of 1364 bytes are lost, and nobody tells|^ok .* too big for the way/,
      );
      await until('the size to be found', async () => (await near.ask('peers')).peers[0]!.mtu < 1364, {
        timeoutMs: 60_000,
      });
      for (const family of ['IPv4', 'IPv6'])
        match(
          seen(await test(near), new RegExp(`n2, ${family}, largest`)),
          /^ok packets of 1364 bytes are too big for the way, which the pod is told/,
        );
    } finally {
      await far.run(['nft', 'delete', 'table', 'inet', 'other']);
    }
  });

  it('finds packets that leave in clear', async () => {
    const [address] = (await near.ask('peers')).peers[0]!.addresses;
    // As a VPN would: a route that is more specific, while nothing keeps packets of pods in. weftd puts its rules back at once.
    await near.run(['nft', 'delete', 'table', 'inet', 'weft']);
    await near.run(['ip', 'route', 'add', `${address}/32`, 'via', far.host.v4]);
    try {
      match(
        seen(await test(near), /^encryption$/),
        /^fault (packets for n2 left this host in clear|\d of 6 packets)/,
      );
    } finally {
      await near.run(['ip', 'route', 'del', `${address}/32`, 'via', far.host.v4]);
    }
  });

  it('removes what it made where it is ended', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const child = start(near);
      await once(child.stdout!, 'data');
      const output = printed(child);
      child.kill(signal);
      await once(child, 'exit');
      deepEqual(await left(), [], signal);
      match((await output).errors, /the test was ended, and what it had made is removed/);
      equal(child.exitCode, 1);
    }
  });

  it('removes what a test that was killed left', async () => {
    const child = start(near);
    await once(child.stdout!, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until('its programs to end', async () => !(await left()).some((each) => each.includes('agent.ts')));
    deepEqual(await left(), [...WORKLOADS, ...WORKLOADS]);
    deepEqual(unwell(await test(near)), []);
    deepEqual(await left(), []);
  });

  it('is refused while another runs, and without weftd or plugin', async () => {
    const child = start(near);
    await once(child.stdout!, 'data');
    const second = await near.run([WEFT, '--run-dir', near.runDir, 'test'], { mayFail: true });
    child.kill('SIGINT');
    await once(child, 'exit');
    match(second.stderr, /another weft test is under way/);
    const noPlugin = await near.run([WEFT, '--run-dir', near.runDir, 'test', '--plugin-dir', '/none'], {
      mayFail: true,
    });
    match(noPlugin.stderr, /weft-net is in none of \/none; give its folder/);
    const noDaemon = await near.run([WEFT, '--run-dir', '/none', 'test'], { mayFail: true });
    equal(noDaemon.status, 3);
    equal((await near.weft('test', '--outside', 'x')).status, 2);
    equal((await near.weft('test', '--nodes', 'a,b,c')).status, 2);
  });

  it('says that a node is alone', async () => {
    await far.stop();
    await until(
      'the peer to be gone',
      async () => (await near.ask('status')).peers[0]?.state !== 'connected',
      { timeoutMs: 60_000 },
    );
    const result = await test(near);
    deepEqual(unwell(result), []);
    match(seen(result, /^other nodes$/), /^skipped no peer is connected/);
    match(seen(result, /^encryption$/), /^skipped no peer is connected/);
  });
});

/** All that a program prints, when it has ended; `first`: how many pieces came before. */
async function printed(child: ChildProcess): Promise<{ text: string; errors: string; first: number }> {
  let [text, errors, first] = ['', '', 0];
  child.stdout?.on('data', (part) => {
    text += String(part);
    first++;
  });
  child.stderr?.on('data', (part) => {
    errors += String(part);
  });
  await once(child, 'close');
  return { text, errors, first };
}

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster, REPOSITORY } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';
import { shortTimes } from '../../cluster/short-times.ts';

const INSIDE = `${REPOSITORY}/test/netns/datapath/inside`;
const TRANSFER = `${REPOSITORY}/test/netns/inside/checked-transfer.ts`;
const WEFT_NODE = `${REPOSITORY}/bin/weft-node`;
const PROBE = `${REPOSITORY}/test/cluster/inside/tcp-probe.ts`;
const SHORT = Object.entries(
  shortTimes({
    '/router/tunnel/sessions.ts': {
      REKEY_AFTER_MS: 2_000,
      REKEY_JITTER_MS: 500,
      RESPONDER_REKEY_AFTER_MS: 4_000,
    },
  }),
)
  .map(([name, value]) => `${name}='${value}'`)
  .join(' ');
const SECONDS = 20;
const DATAGRAMS_A_SECOND = 1000;
const MEGABYTES = 20;
/** What a datapath counts though nothing is lost. */
const HARMLESS = /^datapath\.(outFragmented|outIcmp|relayForwarded|sendTooLarge|sent|received|segmentsOff)/;

/** A line of output that a process prints at its end, parsed. */
interface Running {
  readonly child: ChildProcess;
  text(): string;
}

describe('sessions that are renewed every two seconds, under load', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  const running: Running[] = [];

  before(async () => {
    cluster = await Cluster.create({ prefix: `rk${process.pid % 10_000}` });
  });
  after(async () => {
    for (const { child } of running) await endProcess(child, 'SIGKILL');
    await cluster.destroy();
  });

  function start(namespace: string, program: string, ...args: string[]): Running {
    const [command, ...rest] = inNamespace(namespace, [WEFT_NODE, program, ...args]);
    const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const process = { child, text: () => said };
    running.push(process);
    return process;
  }

  async function answerOf(of: Running): Promise<Record<string, unknown>> {
    const line = await until('a probe to end', () => /^\{.*\}$/m.exec(of.text())?.[0], {
      timeoutMs: (SECONDS + 40) * 1000,
    });
    return JSON.parse(line) as Record<string, unknown>;
  }

  async function counters(node: ClusterNode): Promise<Record<string, number>> {
    return (await node.ask('report')).counters as Record<string, number>;
  }

  it('lose no connection and no packet, between fast and sleeve, direct and relayed', async () => {
    // weftd of this checkout, but for the times after which it renews a session.
    const program = join(cluster.folder, 'weftd');
    await writeFile(program, `#!/bin/sh\n${SHORT} exec ${REPOSITORY}/bin/weftd "$@"\n`);
    await chmod(program, 0o755);
    for (const [i, datapath] of (['fast', 'sleeve', 'fast'] as const).entries()) {
      const seed = cluster.nodes[0];
      const how = seed ? ['--peer', seed.host.v4] : ['--ipalloc-init', 'seed'];
      await cluster.addNode(`n${i + 1}`, { program, args: [...how, '--datapath', datapath] });
    }
    const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    // The two that are fast reach each other by the sleeve's node alone.
    await run(['nft', '-f', '-'], { namespace: cluster.underlay.namespace, input: noUdpBetween(a, c) });
    for (const node of [a, b, c]) {
      await node.start();
      await node.ready(30_000);
    }
    const pods: ClusterPod[] = [];
    for (const node of [a, b, c]) pods.push(await node.attachPod(`pod-${node.name}`));
    const pairs = pods.flatMap((from) => pods.filter((to) => to !== from).map((to) => ({ from, to })));
    for (const { from, to } of pairs)
      await until(`${from.name} to reach ${to.name}`, () => from.ping(to.v4), { timeoutMs: 40_000 });
    const via = async (node: ClusterNode, name: string): Promise<string | null | undefined> =>
      (await node.ask('status')).peers.find((peer) => peer.name === name)?.via;
    assert.equal(await via(a, 'n3'), 'n2');
    assert.equal(await via(a, 'n2'), null);
    const before = await Promise.all([a, b, c].map(counters));

    const listeners: Running[] = [];
    for (const [i, { to }] of pairs.entries()) {
      listeners.push(
        start(to.namespace, `${INSIDE}/counted-datagrams.ts`, 'hear', i % 2 ? to.v4 : to.v6, `${8000 + i}`),
      );
      listeners.push(start(to.namespace, PROBE, 'serve', i % 2 ? to.v6 : to.v4, `${9000 + i}`));
    }
    for (const to of pods) listeners.push(start(to.namespace, TRANSFER, 'serve', to.v4));
    await until('all to listen', () =>
      listeners.every((one) => one.text().includes('listening') || isProbe(one)),
    );
    const datagrams = pairs.map(({ from, to }, i) =>
      start(
        from.namespace,
        `${INSIDE}/counted-datagrams.ts`,
        ...['say', i % 2 ? to.v4 : to.v6, `${8000 + i}`, `${DATAGRAMS_A_SECOND}`, `${SECONDS}`],
      ),
    );
    const connections = pairs.map(({ from, to }, i) =>
      start(from.namespace, PROBE, 'ask', i % 2 ? to.v6 : to.v4, `${9000 + i}`, `${SECONDS}`),
    );
    let over = false;
    const transfers = (async () => {
      let made = 0;
      for (let i = 0; !over; i++) {
        const { from, to } = pairs[i % pairs.length]!;
        const argv = [WEFT_NODE, TRANSFER, 'tcp', to.v4, `${MEGABYTES}`];
        const { stdout } = await from.run(argv, { timeoutMs: 60_000 });
        assert.deepEqual(JSON.parse(stdout), { same: true });
        made++;
      }
      return made;
    })();
    try {
      for (const [i, one] of connections.entries()) {
        const { broken, longestGapMs } = await answerOf(one);
        assert.equal(broken, null, `connection of ${pairs[i]!.from.name}`);
        assert.ok(Number(longestGapMs) < 2000, `${longestGapMs} ms without an answer`);
      }
      for (const one of datagrams) {
        const { sent, came, twice } = await answerOf(one);
        assert.deepEqual({ came, twice }, { came: sent, twice: 0 });
      }
    } finally {
      over = true;
    }
    const made = await transfers;
    assert.ok(made >= 3, `${made} transfers`);

    const since = await Promise.all([a, b, c].map(counters));
    let renewed = 0;
    for (const [i, now] of since.entries()) {
      const more = (name: string): number => (now[name] ?? 0) - (before[i]![name] ?? 0);
      renewed += more('handshake.completed');
      const lost = Object.keys(now).filter((name) => name.startsWith('datapath.') && !HARMLESS.test(name));
      assert.deepEqual(
        Object.fromEntries(lost.filter((name) => more(name) > 0).map((name) => [name, more(name)])),
        {},
        `dropped by n${i + 1}`,
      );
    }
    // Three pairs, each some ten times.
    assert.ok(renewed >= 3 * (SECONDS / 4), `${renewed} sessions in ${SECONDS} s`);
    console.log(
      `      ${renewed} sessions, ${made} transfers of ${MEGABYTES} MB, ${pairs.length * DATAGRAMS_A_SECOND * SECONDS} datagrams`,
    );
  });
});

/** The probe says nothing when it listens; whoever asks it tries again. */
function isProbe({ child }: Running): boolean {
  return child.spawnargs.includes(PROBE);
}

function noUdpBetween(a: ClusterNode, b: ClusterNode): string {
  const rule = (from: ClusterNode, to: ClusterNode): string =>
    ['ip protocol udp', 'ip6 nexthdr udp']
      .map(
        (what) => `add rule bridge apart f iifname ${from.host.port} oifname ${to.host.port} ${what} drop\n`,
      )
      .join('');
  return `add table bridge apart
add chain bridge apart f { type filter hook forward priority 0; }
${rule(a, b)}${rule(b, a)}`;
}

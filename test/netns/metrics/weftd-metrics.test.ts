import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { GaugeReading } from '../../../base/gauges.ts';
import { askDaemon } from '../../../control/control-client.io.ts';
import type { ReportResult } from '../../../control/control-protocol.ts';
import { run, until } from '../../cluster/command.ts';
import { connect, Namespace } from '../namespaces.ts';
import { WeftdHost } from '../weftd-host.ts';
import { parseExposition, type Series, valueIn } from './exposition.ts';

const ATTACKER = fileURLToPath(new URL('../inside/metrics-attacker.ts', import.meta.url));
const HERE = '198.51.100.1';
const PORT = '6782';
const URL_HERE = `http://${HERE}:${PORT}/metrics`;
const HELD = '200';
/** Weave Net called it that. */
const LINT_KNOWN = [
  /^weave_ipam_unreachable_count non-histogram and non-summary metrics should not have "_count" suffix$/,
];

describe('the metrics of a weftd', function () {
  this.timeout(120_000);
  let host: WeftdHost;
  let there: Namespace;
  const listening = { '--metrics-listen': `${HERE}:${PORT}` };

  before(async () => {
    [host, there] = await Promise.all([WeftdHost.create(), Namespace.create('wm')]);
    await connect(
      { namespace: host.namespace, link: 'eth1', addresses: [`${HERE}/24`] },
      { namespace: there, link: 'eth0', addresses: ['198.51.100.2/24'] },
    );
    await host.serve(host.args({ ...listening, '--ipalloc-range': '10.32.0.0/16' }));
  });

  after(async () => {
    await host?.destroy();
    await there?.delete();
  });

  const curl = (...args: string[]) => host.namespace.attempt('curl', ['-s', '-m', '5', ...args]);
  const scrape = async (): Promise<Series[]> => {
    const { code, stdout } = await curl('-f', URL_HERE);
    equal(code, 0, `curl ended with ${code}`);
    return parseExposition(stdout);
  };
  const report = (): Promise<ReportResult> => askDaemon<'report'>(host.path('run'), { op: 'report' });
  /** A series that is not what was read within the last second. */
  const fresh = async (): Promise<Series[]> => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return scrape();
  };

  it('are found right by the program of Prometheus, but for a name of Weave Net', async () => {
    const { stdout: text } = await curl('-f', URL_HERE);
    const { stdout, stderr } = await run(['promtool', 'check', 'metrics'], { input: text, mayFail: true });
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
    deepEqual(
      complaints.filter((line) => !LINT_KNOWN.some((known) => known.test(line))),
      [],
    );
    equal(complaints.length, LINT_KNOWN.length, 'it has looked');
  });

  it('say what the report says', async () => {
    const [{ gauges, counters, status }, series] = [await report(), await fresh()];
    const ofFamily = (name: string, family: '4' | '6'): unknown =>
      (gauges[name] as Record<string, number>)[family];
    for (const family of ['4', '6'] as const) {
      equal(
        valueIn(series, 'weft_ipam_addresses_owned', { family }),
        ofFamily('ipam.addressesOwned', family),
      );
      equal(valueIn(series, 'weft_ipam_addresses_free', { family }), ofFamily('ipam.addressesFree', family));
    }
    equal(valueIn(series, 'weave_max_ips'), 2 ** 16);
    equal(valueIn(series, 'weave_ips'), status.ipam.used);
    equal(valueIn(series, 'weft_build_info', { version: status.version, program: 'weftd' }), 1);
    equal(valueIn(series, 'weft_ground_rules_repaired_total'), counters['ground.rulesRepaired'] ?? 0);
    for (const { code } of status.problems ?? []) ok(valueIn(series, 'weft_problems', { code })! > 0, code);
    const resident = gauges['process.residentBytes'] as number;
    ok(Math.abs(valueIn(series, 'weft_process_resident_bytes')! - resident) < 20e6);
  });

  it('count a dropped packet under the reason that the report has', async () => {
    const reason = 'rules.dropForeign';
    const before = valueIn(await fresh(), 'weft_dropped_packets_total', { reason });
    await there.run('ip', 'route', 'add', '10.32.0.0/16', 'via', HERE);
    await there.attempt('ping', ['-c', '1', '-W', '1', '10.32.0.9']);
    const after = valueIn(await fresh(), 'weft_dropped_packets_total', { reason });
    await there.run('ip', 'route', 'delete', '10.32.0.0/16');
    deepEqual([before, after], [0, 1]);
    equal((await report()).counters[reason], 1);
  });

  it('leave out what the kernel does not tell, rather than begin again at 0', async () => {
    const labels = { reason: 'gate.dropInput' };
    equal(valueIn(await scrape(), 'weft_dropped_packets_total', labels), undefined, 'there is no gate here');
  });

  it('show a peer, and all tunnels together', async () => {
    const second = await host.serve(
      host.args({
        '--name': 'there',
        '--state-dir': host.path('state2'),
        '--run-dir': host.path('run2'),
        '--ipalloc-init': 'observer',
        '--ipalloc-range': '10.32.0.0/16',
        '--peer': HERE,
      }),
      { namespace: there.name, runDir: host.path('run2') },
    );
    try {
      const peer = 'there';
      await until('traffic to the peer', async () => {
        const [address] = (await askDaemon<'status'>(host.path('run2'), { op: 'status' })).addresses;
        if (address === undefined) return undefined;
        const { code } = await host.namespace.attempt('ping', ['-c', '3', '-i', '0.2', '-W', '1', address]);
        return code === 0 ? address : undefined;
      });
      const series = await until('the tunnel', async () => {
        const now = await fresh();
        return valueIn(now, 'weft_peer_connected', { peer }) === 1 ? now : undefined;
      });
      equal(valueIn(series, 'weft_tunnel_tunnels', { kind: 'direct' }), 1);
      equal(valueIn(series, 'weft_gossip_peers', { state: 'alive' }), 1);
      equal(valueIn(series, 'weft_ring_owners'), 2);
      const { peers, gauges, status } = await report();
      const labels = { state: 'established', type: status.datapath!.name, encryption: 'yes' };
      equal(valueIn(series, 'weave_connections', labels), 1);
      const [row] = peers.peers;
      ok(valueIn(series, 'weft_peer_sent_bytes_total', { peer })! <= row!.sentBytes);
      ok(
        valueIn(series, 'weft_datapath_sent_bytes_total')! >=
          valueIn(series, 'weft_peer_sent_bytes_total', { peer })!,
      );
      ok(valueIn(series, 'weft_datapath_sent_ip_bytes_total')! >= 3 * 84, 'three echo requests');
      equal(valueIn(series, 'weft_peer_mtu_bytes', { peer }), row!.mtu);
      ok(valueIn(series, 'weft_peer_rtt_seconds', { peer })! > 0);
      ok(valueIn(series, 'weft_tunnel_rtt_seconds', { percentile: 'max' })! > 0);
      equal((gauges['tunnel.suites'] as Record<string, GaugeReading>)[row!.suite!], 1);
    } finally {
      await second.stop();
    }
    const dead = await until('the peer to be missed', async () => {
      const now = await fresh();
      return valueIn(now, 'weft_peer_connected', { peer: 'there' }) === 1 ? undefined : now;
    });
    ok(valueIn(dead, 'weft_datapath_sent_bytes_total')! > 0, 'what was sent stays counted');
  });

  it('are given to who asks properly while others hold 200 slow connections', async () => {
    const attacker = await busy('hold', HELD);
    try {
      for (let i = 0; i < 10; i++) {
        ok((await scrape()).length > 100);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      ok(((await report()).counters['metrics.tooOften'] ?? 0) > 0, 'most of them were refused');
    } finally {
      await there.stop(attacker);
    }
  });

  it('are back after a flood, under which the daemon goes on', async () => {
    const attacker = await busy('flood', '50');
    try {
      for (let i = 0; i < 10; i++) {
        await askDaemon<'status'>(host.path('run'), { op: 'status' });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      await there.stop(attacker);
    }
    await until('an answer', async () => ((await curl('-f', URL_HERE)).code === 0 ? true : undefined));
    ok((await report()).counters['metrics.tooOften']! > 0);
  });

  const busy = async (way: string, count: string): Promise<ChildProcess> => {
    const attacker = there.startProgram(ATTACKER, [way, HERE, PORT, count]);
    const [said] = (await Promise.race([
      once(attacker.stdout!, 'data'),
      once(attacker, 'exit').then(() => ['the attacker ended']),
    ])) as [unknown];
    match(String(said), /busy/);
    return attacker;
  };
});

describe('a weftd', function () {
  this.timeout(60_000);
  let host: WeftdHost;
  beforeEach(async () => {
    host = await WeftdHost.create();
  });
  afterEach(() => host?.destroy());

  const warnings = async (): Promise<string[]> => {
    const { problems = [] } = await askDaemon<'status'>(host.path('run'), { op: 'status' });
    return problems.map(({ code }) => code).filter((code) => code === 'W_METRICS_PORT');
  };

  it('has no port for metrics unless it is told one', async () => {
    await host.serve(host.args());
    const { stdout } = await host.namespace.attempt('ss', ['-Hltn']);
    deepEqual(
      stdout.split('\n').filter((line) => line.includes(`:${PORT} `)),
      [],
    );
    ok(stdout.includes(':6783 '), 'its other port is seen');
  });

  it('serves where the port is taken, says so, and has the port once it is free', async () => {
    const holder = host.namespace.startProgram('-e', [
      `require('net').createServer().listen(${PORT}, '127.0.0.1')`,
    ]);
    await until('the holder', async () =>
      (await host.namespace.run('ss', '-Hltn')).includes(`:${PORT} `) ? true : undefined,
    );
    await host.serve(host.args({ '--metrics-listen': `127.0.0.1:${PORT}` }));
    deepEqual(await warnings(), ['W_METRICS_PORT']);
    await host.namespace.stop(holder);
    await until('the port', async () => ((await warnings()).length === 0 ? true : undefined), {
      timeoutMs: 20_000,
    });
    const { code } = await host.namespace.attempt('curl', ['-sf', `http://127.0.0.1:${PORT}/metrics`]);
    equal(code, 0);
  });

  it('takes the address as a manifest and as Weave Net give it', async () => {
    await host.serve(host.args({ '--metrics-listen': `[192.0.2.10]:${PORT}` }));
    equal((await host.namespace.attempt('curl', ['-sf', `http://192.0.2.10:${PORT}/metrics`])).code, 0);
  });

  it('refuses what is no address, and says what is', async () => {
    for (const wrong of ['6782', 'localhost:6782', '192.0.2.10', '192.0.2.10:0', '[192.0.2.10:6782']) {
      const { status, stderr } = await host.refused(host.args({ '--metrics-listen': wrong }));
      equal(status, 2, wrong);
      match(stderr, /--metrics-listen '.*' is not an endpoint; give ADDRESS:PORT or \[IPV6\]:PORT/);
    }
    const { status, stderr } = await host.refused(host.args({ '--metrics-peers': 'all' }));
    equal(status, 2);
    match(stderr, /--metrics-peers 'all' is not a number of nodes; give a number from 0 to 1000/);
  });
});

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { CNI_CODE } from '../../cni/fault.ts';
import { askDaemon } from '../../control/control-client.io.ts';
import { type PluginOutcome, runPlugin } from './cni-runner.ts';
import { Namespace } from './namespaces.ts';
import { WeftdHost } from './weftd-host.ts';

const ATTACKER = fileURLToPath(new URL('./inside/health-attacker.ts', import.meta.url));
const PROBE = fileURLToPath(new URL('./inside/health-probe.ts', import.meta.url));
const PORT = '6784';
/** Several times the connections that weftd takes. */
const HELD = '450';
const PROBES = 10;

describe('the health port', () => {
  let host: WeftdHost;

  before(async () => {
    host = await WeftdHost.create();
  });

  after(() => host?.destroy());

  it('says that weftd serves though no address is left, which CNI and the status tell', async () => {
    const health = { '--health-listen': `127.0.0.1:${PORT}` };
    const range = { '--ipalloc-range': '10.40.0.0/29', '--ipalloc-range6': 'none' };
    const weftd = await host.serve(host.args({ ...health, ...range, '--state-dir': host.path('small') }));
    const pods: Namespace[] = [];
    const cni = (command: string, pod: Namespace): Promise<PluginOutcome> =>
      runPlugin({
        command,
        node: host.namespace.path,
        containerId: pod.name,
        netns: pod.path,
        ifname: 'eth0',
        config: { cniVersion: '1.1.0', name: 'weft', type: 'weft-net', runDir: host.path('run') },
      });
    const ready = async (): Promise<string> =>
      host.namespace.run('curl', '-s', '-w', ' %{http_code}', `http://127.0.0.1:${PORT}/readyz`);
    try {
      for (let code: number | undefined = 0; code === 0; ) {
        ok(pods.length < 8, 'eight addresses are for more than seven pods');
        const pod = await Namespace.create('wd');
        pods.push(pod);
        const outcome = await cni('ADD', pod);
        code = outcome.code === 0 ? 0 : outcome.json?.code;
        if (code !== 0) equal(code, CNI_CODE.tryLater, outcome.stdout);
      }
      equal((await cni('STATUS', pods[0]!)).code, 0, 'its pods run');
      equal(await ready(), 'ok\n 200');
      const { warnings = [] } = await askDaemon<'status'>(host.path('run'), { op: 'status' });
      match(
        warnings.join('\n'),
        /no more pods can start here: all IPv4 addresses of this node are in use; see/,
      );
    } finally {
      for (const pod of pods) await cni('DEL', pod).finally(() => pod.delete());
      await weftd.stop();
    }
  });

  it('answers each probe while a local process holds hundreds of connections to it', async () => {
    await host.serve(host.args({ '--health-listen': `127.0.0.1:${PORT}` }));
    const attacker = host.namespace.startProgram(ATTACKER, [PORT, HELD]);
    await new Promise((resolve, reject) => {
      attacker.stdout!.once('data', resolve);
      attacker.once('exit', () => reject(new Error('the attacker ended')));
    });
    try {
      const outcomes = await host.namespace.program(PROBE, PORT, String(PROBES));
      deepEqual(
        outcomes,
        Array.from({ length: PROBES }, () => 200),
      );
      const { counters } = await askDaemon<'report'>(host.path('run'), { op: 'report' });
      ok((counters['health.tooMany'] ?? 0) > 0, 'connections were closed for newer ones');
    } finally {
      await host.namespace.stop(attacker);
    }
  });
});

import { deepEqual, ok } from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../control/control-client.io.ts';
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

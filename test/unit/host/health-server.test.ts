import { deepEqual, rejects } from 'node:assert/strict';
import { Counters } from '../../../base/counters.ts';
import { parseEndpoint } from '../../../base/endpoint.ts';
import { HEALTH_COUNTERS } from '../../../host/health-counters.ts';
import { HealthServer, type Readiness } from '../../../host/health-server.io.ts';

const AT = parseEndpoint('127.0.0.1:36784')!;

describe('HealthServer', () => {
  let server: HealthServer | undefined;
  const counters = new Counters(HEALTH_COUNTERS);
  let state: Readiness = { ready: true };
  beforeEach(async () => {
    state = { ready: true };
    server = await HealthServer.listen(AT, { readiness: () => state, counters });
  });
  afterEach(() => server?.close());

  const ask = async (path: string, method = 'GET'): Promise<readonly [number, string]> => {
    const answer = await fetch(`http://${AT}${path}`, { method });
    return [answer.status, await answer.text()];
  };

  it('says whether pods can be attached, and why not', async () => {
    deepEqual(await ask('/readyz'), [200, 'ok\n']);
    state = { ready: false, reason: 'no ring yet' };
    deepEqual(await ask('/readyz'), [503, 'no ring yet\n']);
    deepEqual(await ask('/healthz?verbose'), [200, 'ok\n']);
  });

  it('has nothing else to say and nothing to change', async () => {
    deepEqual((await ask('/'))[0], 404);
    deepEqual((await ask('/healthz/../secret'))[0], 404);
    deepEqual((await ask('/readyz', 'POST'))[0], 405);
  });

  it('refuses a port that is taken, and says what to do', async () => {
    await rejects(HealthServer.listen(AT, { readiness: () => state, counters }), {
      code: 'E_HEALTH_PORT',
      message: /127\.0\.0\.1:36784 cannot be listened on/,
    });
  });
});

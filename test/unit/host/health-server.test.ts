import { deepEqual, rejects } from 'node:assert/strict';
import { parseEndpoint } from '../../../base/endpoint.ts';
import { HealthServer, type Readiness } from '../../../host/health-server.io.ts';

const AT = parseEndpoint('127.0.0.1:36784')!;

describe('HealthServer', () => {
  let server: HealthServer | undefined;
  let state: Readiness = { ready: true };
  beforeEach(async () => {
    state = { ready: true };
    server = await HealthServer.listen(AT, () => state);
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
    deepEqual((await ask('/readyz', 'POST'))[0], 404);
  });

  it('refuses a port that is taken, and says what to do', async () => {
    await rejects(
      HealthServer.listen(AT, () => state),
      { code: 'E_HEALTH_PORT', message: /127\.0\.0\.1:36784 cannot be listened on/ },
    );
  });
});

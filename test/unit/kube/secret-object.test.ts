import { deepEqual, equal, rejects } from 'node:assert/strict';
import { ApiClient } from '../../../kube/api-client.io.ts';
import { ensureSecretObject } from '../../../kube/secret-object.io.ts';
import { secretOf } from '../../../kube/secret-object.ts';
import { FakeApi, json } from './fake-api.ts';

describe('ensureSecretObject', () => {
  let api: FakeApi;
  let client: ApiClient;
  let stored: unknown;
  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'test');
    stored = undefined;
  });
  afterEach(async () => {
    client.close();
    await api.close();
  });

  it('makes one, and of many who try at once all get the same', async () => {
    api.answer = (request, response) => {
      if (request.method === 'GET') {
        json(stored === undefined ? 404 : 200, stored ?? { reason: 'NotFound' })(request, response);
        return;
      }
      let body = '';
      request.on('data', (data: Buffer) => {
        body += data.toString();
      });
      request.on('end', () => {
        const taken = stored !== undefined;
        stored ??= JSON.parse(body) as unknown;
        json(taken ? 409 : 201, taken ? { reason: 'AlreadyExists' } : stored)(request, response);
      });
    };
    let made = 0;
    const all = await Promise.all(
      Array.from({ length: 8 }, () => ensureSecretObject(client, 'weft', () => `secret-${++made}`)),
    );
    equal(new Set(all.map(secretOf)).size, 1);
    deepEqual(api.requests[0], 'GET /api/v1/namespaces/weft/secrets/weft-secret');
  });

  it('makes none where it may not know whether there is one', async () => {
    api.answer = json(403, { reason: 'Forbidden' });
    await rejects(
      ensureSecretObject(client, 'weft', () => 'x'),
      { status: 403 },
    );
    deepEqual(api.requests, ['GET /api/v1/namespaces/weft/secrets/weft-secret']);
  });
});

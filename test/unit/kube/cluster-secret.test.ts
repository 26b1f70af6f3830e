import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiClient } from '../../../kube/api-client.io.ts';
import { obtainSecret, type SecretOptions } from '../../../kube/cluster-secret.io.ts';
import { genesisObject } from '../../../kube/ring-object.ts';
import { until } from '../../cluster/command.ts';
import { seededRandom } from '../../seeded-random.ts';
import { FakeApi, json } from './fake-api.ts';

const GENESIS = new Uint8Array([1, 2, 3]);
/** Stands for the hash that names a cluster: no two secrets of these tests have the same last character. */
const idOf = (text: string): string => text.slice(-1).repeat(32);

describe('obtainSecret', () => {
  let api: FakeApi;
  let client: ApiClient;
  /** What the API holds, by path. */
  let objectByPath: Map<string, unknown>;
  let created: string[];
  let said: string[];
  let made: number;

  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'test');
    [objectByPath, created, said, made] = [new Map(), [], [], 0];
    api.answer = store;
  });
  afterEach(async () => {
    client.close();
    await api.close();
  });

  /** Answers as an API server: of all who create a name one succeeds. */
  const store = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname } = new URL(request.url!, 'https://x');
    if (request.method === 'GET') {
      const found = objectByPath.get(pathname);
      json(found === undefined ? 404 : 200, found ?? { reason: 'NotFound' })(request, response);
      return;
    }
    let body = '';
    request.on('data', (data: Buffer) => {
      body += data.toString();
    });
    request.on('end', () => {
      const object = JSON.parse(body) as { readonly metadata: { readonly name: string } };
      const path = `${pathname}/${object.metadata.name}`;
      const taken = objectByPath.has(path);
      if (!taken) created.push(path);
      if (!taken)
        objectByPath.set(path, {
          ...object,
          metadata: { ...object.metadata, uid: 'u', resourceVersion: '1' },
        });
      json(taken ? 409 : 201, taken ? { reason: 'AlreadyExists' } : object)(request, response);
    });
  };
  const SECRET = '/api/v1/namespaces/weft/secrets/weft-secret';
  const RING = '/api/v1/namespaces/weft/configmaps/weft-genesis';
  const nodes = (status: string): unknown => ({
    metadata: { resourceVersion: '1' },
    items: [
      {
        metadata: { name: 'n1', uid: 'u', resourceVersion: '1' },
        status: { conditions: [{ type: 'Ready', status }] },
      },
    ],
  });
  const ring = (clusterId: string): Record<string, unknown> => ({
    ...genesisObject('weft', GENESIS, { clusterId, founder: '', ranges: [] }),
    metadata: { name: 'weft-genesis', namespace: 'weft', uid: 'u', resourceVersion: '1' },
  });
  const kept = (text: string): SecretOptions['kept'] => ({
    secret: { text, clusterId: idOf(text) },
    genesisObject: genesisObject('weft', GENESIS, { clusterId: idOf(text), founder: '', ranges: [] }),
  });
  const obtain = (options: Partial<SecretOptions> = {}): Promise<string> =>
    obtainSecret({
      client,
      namespace: 'weft',
      kept: undefined,
      newSecret: () => `secret-${++made}`,
      clusterIdOf: idOf,
      random: seededRandom(1),
      say: (line) => said.push(line),
      lookMs: 20,
      refusedMs: 100,
      ...options,
    });

  it('makes one where no node is Ready, and of many who try at once all get the same', async () => {
    objectByPath.set('/api/v1/nodes', nodes('False'));
    const all = await Promise.all(Array.from({ length: 8 }, () => obtain()));
    equal(new Set(all).size, 1);
    deepEqual(created, [SECRET]);
    deepEqual(said, []);
  });

  it('waits for a node that may hold one, and takes what that one puts back', async () => {
    objectByPath.set('/api/v1/nodes', nodes('True'));
    const newcomer = obtain();
    await until('it to say that it waits', () => said.length > 0);
    equal(await obtain({ kept: kept('old-7') }), 'old-7');
    equal(await newcomer, 'old-7');
    deepEqual(created, [RING, SECRET], 'whoever has the secret finds its ring');
    equal(made, 0);
  });

  it('makes none beside a ring, however long it waits, and says what to do', async () => {
    objectByPath.set('/api/v1/nodes', nodes('False'));
    objectByPath.set(RING, ring(idOf('old-7')));
    const newcomer = obtain();
    await until('some looks', () => api.requests.filter((each) => each.endsWith('weft-secret')).length > 5);
    deepEqual([made, created], [0, []]);
    ok(/waiting for a node of that ring/.test(said.join()), said.join());
    equal(await obtain({ kept: kept('old-7') }), 'old-7');
    equal(await newcomer, 'old-7');
  });

  it('refuses another Secret than the one that the node kept, and takes the right one once it is there', async () => {
    objectByPath.set(SECRET, { data: { secret: btoa('new-9') } });
    await rejects(obtain({ kept: kept('old-7') }), { code: 'E_SECRET_OTHER' });
    const refused = obtain({ kept: kept('old-7'), refusedMs: 60_000 });
    await until('it to say so', () => said.length > 1);
    objectByPath.delete(SECRET);
    equal(await refused, 'old-7');
  });

  it('takes the Secret that is there where it may not read the ring, and makes none then', async () => {
    const forbidden = json(403, { reason: 'Forbidden' });
    api.answer = (request, response) =>
      request.url!.includes('configmaps') ? forbidden(request, response) : store(request, response);
    const waiting = obtain();
    await until('a refusal', () => said.length > 0);
    deepEqual([made, created], [0, []]);
    objectByPath.set(SECRET, { data: { secret: btoa('old-7') } });
    equal(await waiting, 'old-7');
  });

  it('makes none where it may not know whether there is one', async () => {
    api.answer = json(403, { reason: 'Forbidden' });
    const waiting = obtain();
    await until('a refusal', () => said.length > 0);
    deepEqual([...new Set(api.requests)], [`GET ${SECRET}`]);
    api.answer = store;
    objectByPath.set(SECRET, { data: { secret: btoa('new-9') } });
    equal(await waiting, 'new-9');
  });
});

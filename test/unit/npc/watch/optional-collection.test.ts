import { deepEqual, equal } from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { ApiClient } from '../../../../kube/api-client.io.ts';
import type { ApiError } from '../../../../kube/api-error.ts';
import { type ObjectMeta, readMeta } from '../../../../kube/objects.ts';
import { OptionalCollection } from '../../../../npc/watch/optional-collection.io.ts';
import { until } from '../../../cluster/command.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { FakeApi, json } from '../../kube/fake-api.ts';

const GROUP = '/apis/policy.test';

describe('OptionalCollection', () => {
  let api: FakeApi;
  let client: ApiClient;
  let collection: OptionalCollection<ObjectMeta>;
  let names: Set<string>;
  let handedOut: string[];
  let synced: number;
  let served: number;
  let faults: ApiError[];
  /** Names of the objects by served version; undefined: the group is not there. */
  let objects: Readonly<Record<string, readonly string[]>> | undefined;
  let watches: ServerResponse[];

  beforeEach(async () => {
    api = await FakeApi.listen();
    [names, handedOut, synced, served, faults, objects, watches] = [new Set(), [], 0, 0, [], undefined, []];
    api.answer = (request, response) => {
      const url = request.url!;
      if (url === GROUP && objects !== undefined) {
        json(200, { versions: Object.keys(objects).map((version) => ({ version })) })(request, response);
        return;
      }
      const version = /^\/apis\/policy\.test\/(\w+)\/things/.exec(url)?.[1];
      const found = version === undefined ? undefined : objects?.[version];
      if (found === undefined) json(404, { reason: 'NotFound' })(request, response);
      else if (url.includes('watch=1')) {
        response.flushHeaders();
        watches.push(response);
      } else {
        const items = found.map((name) => ({ metadata: { name, uid: name, resourceVersion: '1' } }));
        json(200, { metadata: { resourceVersion: '1' }, items })(request, response);
      }
    };
    client = new ApiClient(api.access, 'test');
    collection = new OptionalCollection({
      client,
      group: 'policy.test',
      versions: ['v2', 'v1'],
      plural: 'things',
      lookAgainMs: 20,
      read: readMeta,
      random: seededRandom(1),
      onDelta: ({ gone, added }) => {
        for (const { name } of gone) names.delete(name);
        for (const { name } of added) {
          names.add(name);
          handedOut.push(name);
        }
      },
      onSynced: () => synced++,
      onServed: () => served++,
      onFault: (error) => faults.push(error),
    });
  });
  afterEach(async () => {
    collection.stop();
    client.close();
    await api.close();
  });

  const shows = (...wanted: string[]): Promise<unknown> =>
    until(`${wanted}, not ${[...names]}`, () => [...names].sort().join() === wanted.join(), {
      timeoutMs: 15_000,
    });
  const endWatches = (): void => {
    for (const watch of watches.splice(0)) watch.end();
  };

  it('is complete and empty where the kind is not served, and takes it when it comes', async () => {
    void collection.run();
    await until('the copy to be complete', () => synced === 1);
    deepEqual([[...names], served > 0, faults.length], [[], true, 0]);
    objects = { v1: ['a', 'b'] };
    await shows('a', 'b');
    equal(collection.version, 'v1');
    equal(synced, 1);
  });

  it('goes on in another version without handing out anew what stays', async () => {
    objects = { v1: ['a', 'b'] };
    void collection.run();
    await shows('a', 'b');
    objects = { v2: ['b', 'c'], v3: ['x'] };
    endWatches();
    await shows('b', 'c');
    equal(collection.version, 'v2');
    deepEqual(handedOut, ['a', 'b', 'c']);
  }).timeout(20_000);

  it('gives up its objects once the kind is gone, and has them again when it is back', async () => {
    objects = { v2: ['a'] };
    void collection.run();
    await shows('a');
    objects = undefined;
    endWatches();
    await shows();
    objects = { v2: ['a'] };
    await shows('a');
  }).timeout(30_000);

  it('keeps its objects where the API cannot say what it serves, and tells of that', async () => {
    objects = { v2: ['a'] };
    void collection.run();
    await shows('a');
    api.answer = json(503, { reason: 'Starting' });
    endWatches();
    await until('a fault', () => faults.length > 0, { timeoutMs: 15_000 });
    deepEqual([...names], ['a']);
  }).timeout(20_000);

  it('is not complete before the API has said what it serves', async () => {
    api.answer = json(503, { reason: 'Starting' });
    void collection.run();
    await until('a fault', () => faults.length > 0);
    equal(synced, 0);
  });
});

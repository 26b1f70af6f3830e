import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ApiClient } from '../../../kube/api-client.io.ts';
import type { ApiError } from '../../../kube/api-error.ts';
import { type ObjectMeta, readConfigMap, readMeta } from '../../../kube/objects.ts';
import { Reflector } from '../../../kube/reflector.io.ts';
import { until } from '../../cluster/command.ts';
import { seededRandom } from '../../seeded-random.ts';
import { FakeApi, json } from './fake-api.ts';

const object = (name: string, version: number, data = {}, uid = name): Record<string, unknown> => ({
  metadata: { name, uid, resourceVersion: String(version) },
  data,
});

const line = (type: string, what: unknown): string => `${JSON.stringify({ type, object: what })}\n`;

describe('Reflector', () => {
  let api: FakeApi;
  let client: ApiClient;
  let reflector: Reflector<ReturnType<typeof readConfigMap> & object>;
  let seen: Record<string, string>[] = [];
  let faults: ApiError[] = [];
  let served = 0;
  let synced = 0;
  /** Answers by turn, the last one for ever. */
  let lists: unknown[] = [];
  let watches: ((write: (text: string) => void, end: () => void) => void)[] = [];

  beforeEach(async () => {
    api = await FakeApi.listen();
    [seen, faults, served, synced, lists, watches] = [[], [], 0, 0, [], []];
    const shown = new Map<string, string>();
    api.answer = (request, response) => {
      if (request.url!.includes('watch=1')) {
        const watch = watches.length > 1 ? watches.shift()! : watches[0];
        response.flushHeaders();
        watch?.(
          (text) => response.write(text),
          () => response.end(),
        );
        return;
      }
      const next = lists.length > 1 ? lists.shift() : lists[0];
      if (typeof next === 'number') json(next, { reason: 'Busy' })(request, response);
      else json(200, next)(request, response);
    };
    client = new ApiClient(api.access, 'test');
    reflector = new Reflector({
      client,
      path: '/api/v1/namespaces/weft/configmaps',
      labelSelector: 'a=b',
      read: readConfigMap,
      random: seededRandom(1),
      onDelta: ({ gone, added, changed }) => {
        for (const { name } of gone) shown.delete(name);
        for (const { name, data } of [...added, ...changed.map(({ after }) => after)])
          shown.set(name, data.v ?? '');
        seen.push(Object.fromEntries(shown));
      },
      onSynced: () => synced++,
      onFault: (error) => faults.push(error),
      onServed: () => served++,
    });
  });

  afterEach(async () => {
    reflector.stop();
    client.close();
    await api.close();
  });

  const list = (version: number, ...items: unknown[]): unknown => ({
    metadata: { resourceVersion: String(version) },
    items,
  });
  const last = (): unknown => JSON.stringify(seen.at(-1));
  const shows = (wanted: Record<string, string>): Promise<unknown> =>
    until(`${JSON.stringify(wanted)}, not ${last()}`, () => last() === JSON.stringify(wanted));

  it('lists, then follows each change by a watch from the version of the list', async () => {
    lists = [list(10, object('a', 3, { v: '1' }))];
    watches = [
      (write) => {
        write(line('ADDED', object('b', 11, { v: '2' })));
        write(line('MODIFIED', object('a', 12, { v: '3' })));
        write(line('DELETED', object('b', 13)));
      },
    ];
    void reflector.run();
    await shows({ a: '3' });
    deepEqual(seen, [{ a: '1' }, { a: '1', b: '2' }, { a: '3', b: '2' }, { a: '3' }]);
    equal(api.requests.length, 2);
    deepEqual(api.requests[0], 'GET /api/v1/namespaces/weft/configmaps?labelSelector=a%3Db&limit=500');
    equal(
      /watch=1&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=\d+$/.test(api.requests[1]!),
      true,
    );
  });

  it('goes on where the last watch ended, bookmarks counted, without a new list', async () => {
    lists = [list(10)];
    watches = [
      (write, end) => {
        write(line('BOOKMARK', { metadata: { resourceVersion: '40' } }));
        end();
      },
      (write) => write(line('ADDED', object('a', 41, { v: 'x' }))),
    ];
    void reflector.run();
    await shows({ a: 'x' });
    equal(api.requests.length, 3);
    equal(api.requests[2]!.includes('resourceVersion=40&'), true);
  });

  it('lists anew where the version is too old, by status or within the watch', async () => {
    lists = [list(10, object('old', 1)), list(90, object('a', 80, { v: 'n' }, 'new-uid'))];
    watches = [(write) => write(line('ERROR', { kind: 'Status', code: 410, message: 'too old' })), () => {}];
    void reflector.run();
    await shows({ a: 'n' });
    deepEqual(faults, [], 'which is the ordinary course of things');
  });

  it('reads a list in pages', async () => {
    lists = [
      { metadata: { resourceVersion: '5', continue: 'next page' }, items: [object('a', 1)] },
      list(5, object('b', 2)),
    ];
    watches = [() => {}];
    void reflector.run();
    await shows({ a: '', b: '' });
    equal(api.requests[1]!.endsWith('&limit=500&continue=next%20page'), true);
  });

  it('tries again after faults, and says what they were', async () => {
    lists = [500, 403, list(1, object('a', 1))];
    watches = [() => {}];
    void reflector.run();
    await shows({ a: '' });
    deepEqual(
      faults.map(({ status }) => status),
      [500, 403],
    );
    await until('it to say that it works again', () => served === 1);
  });

  it('calls it a fault where watch after watch brings nothing, and grows slow', async () => {
    lists = [list(1)];
    watches = [(_write, end) => end()];
    void reflector.run();
    await until('two faults', () => faults.length === 2);
    deepEqual([...new Set(faults.map(({ reason }) => reason))], ['Short']);
    const asked = api.requests.length;
    equal(served, 1, 'when the first one was granted');
    watches = [(write) => write(line('ADDED', object('a', 2, { v: '1' })))];
    await shows({ a: '1' });
    equal(served, 2);
    equal(asked, 4, 'a list and three watches');
  });

  it('takes nothing from a malformed line, and goes on', async () => {
    lists = [list(1, object('a', 1, { v: '1' }))];
    watches = [
      (write) => write('{"type":"ADDED","object":{"metadata":{"name":"../x"}}}\n'),
      (write) => write(line('MODIFIED', object('a', 2, { v: '2' }))),
    ];
    void reflector.run();
    await shows({ a: '2' });
    deepEqual(seen, [{ a: '1' }, { a: '2' }]);
  });

  it('says once that the first list is complete, after its last page, also where it is empty', async () => {
    lists = [
      { metadata: { resourceVersion: '5', continue: 'more' }, items: [object('a', 1)] },
      list(5),
      { metadata: { resourceVersion: '9', continue: 'more' }, items: [] },
      list(9, object('b', 9, { v: '1' })),
    ];
    watches = [(write) => write(line('ERROR', { code: 410, message: 'too old' })), () => {}];
    const run = reflector.run();
    await until('it to be complete', () => synced === 1);
    deepEqual(seen, [{ a: '' }]);
    await shows({ b: '1' });
    equal(synced, 1);
    reflector.stop();
    await run;
  });

  it('ends with a bug of its reader instead of calling it a broken watch', async () => {
    lists = [list(1)];
    watches = [(write) => write(line('ADDED', object('a', 2)))];
    const bug = new TypeError('an invariant is broken');
    const broken = new Reflector({
      client,
      path: '/x',
      read: () => {
        throw bug;
      },
      random: seededRandom(1),
      onDelta: () => {},
      onSynced: () => {},
      onFault: (error) => faults.push(error),
      onServed: () => {},
    });
    await rejects(broken.run(), bug);
    deepEqual(faults, []);
  });

  it('keeps of ten thousand pods only what is read of them, and asks for them page by page', async function () {
    this.timeout(30_000);
    const count = 10_000;
    const padding = 'x'.repeat(3_000);
    const pod = (at: number): unknown => ({
      metadata: { namespace: `ns-${at % 50}`, name: `pod-${at}`, uid: `uid-${at}`, resourceVersion: '1' },
      spec: { containers: [{ env: `${at} ${padding}` }] },
    });
    api.answer = (request, response) => {
      const query = new URL(request.url!, 'https://x').searchParams;
      if (query.has('watch')) {
        response.flushHeaders();
        return;
      }
      const from = Number(query.get('continue') ?? 0);
      const to = Math.min(count, from + Number(query.get('limit')));
      const items = Array.from({ length: to - from }, (_, index) => pod(from + index));
      const next = to < count ? { continue: String(to) } : {};
      json(200, { metadata: { resourceVersion: '1', ...next }, items })(request, response);
    };
    const kept = new Map<string, ObjectMeta>();
    const sizes: number[] = [];
    const pods = new Reflector({
      client,
      path: '/api/v1/pods',
      fieldSelector: 'spec.hostNetwork=false,status.phase!=Succeeded',
      read: readMeta,
      random: seededRandom(1),
      onDelta: ({ added }) => {
        sizes.push(added.length);
        for (const each of added) kept.set(each.uid, each);
      },
      onSynced: () => synced++,
      onFault: (error) => faults.push(error),
      onServed: () => served++,
    });
    const before = heapUsed();
    const run = pods.run();
    await until('all of them', () => served === 1, { timeoutMs: 25_000 });
    equal(kept.size, count);
    equal(Math.max(...sizes), 500);
    ok(
      api.requests[0]!.includes('fieldSelector=spec.hostNetwork%3Dfalse%2Cstatus.phase!%3DSucceeded&limit='),
    );
    const bytesAPod = (heapUsed() - before) / count;
    ok(bytesAPod < 1_500, `${bytesAPod} bytes of heap a pod, of which the API told over 3,000`);
    pods.stop();
    await run;
  });
});

/** Bytes of the heap that are in use, garbage taken away. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

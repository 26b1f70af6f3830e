import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { after, instant } from '../../../base/instant.ts';
import { ApiError } from '../../../kube/api-error.ts';
import { ListWatch } from '../../../kube/list-watch.ts';
import { type ObjectMeta, readMeta } from '../../../kube/objects.ts';
import { seededRandom } from '../../seeded-random.ts';

const START = instant(1_000);
const object = (name: string, version: number, uid = name): unknown => ({
  metadata: { namespace: 'a', name, uid, resourceVersion: String(version) },
});
const page = (version: number, next: string, ...items: unknown[]): [head: unknown, objects: ObjectMeta[]] => [
  { metadata: { resourceVersion: String(version), ...(next === '' ? {} : { continue: next }) }, items: [] },
  items.flatMap((item) => read(item) ?? []),
];
const read = (value: unknown): ObjectMeta | undefined =>
  JSON.stringify(value).includes('left-out') ? undefined : readMeta(value);
const line = (type: string, what: unknown): string => JSON.stringify({ type, object: what });
const names = (objects: readonly ObjectMeta[]): string[] => objects.map(({ name }) => name);

describe('ListWatch', () => {
  let listWatch: ListWatch<ObjectMeta>;
  beforeEach(() => {
    listWatch = new ListWatch({
      labelSelector: 'a=b',
      fieldSelector: 'spec.nodeName=n1',
      read,
      random: seededRandom(1),
    });
  });

  const SELECTORS = 'labelSelector=a%3Db&fieldSelector=spec.nodeName%3Dn1&';

  it('asks for a list page by page, then for a watch from its version', () => {
    deepEqual(listWatch.next(), { type: 'list', query: `${SELECTORS}limit=500` });
    deepEqual(names(listWatch.takePage(...page(7, 'm&re', object('x', 1))).added), ['x']);
    equal(listWatch.isSynced, false);
    deepEqual(listWatch.next(), { type: 'list', query: `${SELECTORS}limit=500&continue=m%26re` });
    deepEqual(names(listWatch.takePage(...page(7, '', object('y', 2))).added), ['y']);
    equal(listWatch.isSynced, true);
    const { type, query } = listWatch.next();
    equal(type, 'watch');
    ok(query.startsWith(`${SELECTORS}watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=`));
  });

  /** A watch from version 7, of a collection that holds `x`. */
  const watching = (): void => {
    listWatch.next();
    listWatch.takePage(...page(7, '', object('x', 1)));
    listWatch.next();
    listWatch.watchGranted(START);
  };

  it('asks for the page that failed again, and for the whole list where the server refuses the page', () => {
    listWatch.next();
    listWatch.takePage(...page(7, 'two', object('x', 1)));
    for (const status of [0, 429, 500]) {
      listWatch.next();
      listWatch.failed(new ApiError(status, 'Busy', ''), START);
      ok(listWatch.next().query.endsWith('&continue=two'), `${status}`);
    }
    for (const status of [400, 410]) {
      listWatch.failed(new ApiError(status, 'Expired', ''), START);
      ok(listWatch.next().query.endsWith('limit=500'), `${status}`);
      listWatch.takePage(...page(8, 'two'));
    }
    listWatch.next();
    deepEqual(names(listWatch.takePage(...page(8, '')).gone), ['x'], 'it was in a list that never ended');
  });

  it('asks without a field selector that it may leave out, at once and for good, where the server refuses it', () => {
    const refusal = new ApiError(400, 'BadRequest', 'field label not supported');
    listWatch.next();
    equal(listWatch.failed(refusal, START).isFault, true);
    equal(listWatch.next().query, `${SELECTORS}limit=500`);
    const optional = new ListWatch({
      fieldSelector: 'spec.new=false',
      isFieldSelectorOptional: true,
      read: readMeta,
      random: seededRandom(1),
    });
    equal(optional.next().query, 'fieldSelector=spec.new%3Dfalse&limit=500');
    for (const status of [0, 403, 500]) {
      equal(optional.failed(new ApiError(status, 'Busy', ''), START).isFault, true);
      equal(optional.next().query, 'fieldSelector=spec.new%3Dfalse&limit=500');
    }
    deepEqual(optional.failed(refusal, START), { waitMs: 0, isFault: false });
    equal(optional.next().query, 'limit=500');
    equal(optional.failed(refusal, START).isFault, true);
    optional.next();
    optional.takePage(...page(7, '', object('x', 1)));
    ok(optional.next().query.startsWith('watch=1&'));
  });

  it('refuses what is no list, and begins anew', () => {
    listWatch.next();
    listWatch.takePage(...page(7, 'two'));
    let refused: unknown;
    throws(
      () => listWatch.takePage({ items: [] }, []),
      (error) => {
        refused = error;
        return error instanceof ApiError && error.reason === 'NoList';
      },
    );
    equal(listWatch.failed(refused as ApiError, START).isFault, true);
    ok(listWatch.next().query.endsWith('limit=500'));
  });

  it('takes an object that is not to be read any more for one that is gone', () => {
    watching();
    const { gone } = listWatch.takeLine(line('MODIFIED', { ...(object('x', 8) as object), x: 'left-out' }));
    deepEqual(names(gone), ['x']);
    equal(listWatch.size, 0);
  });

  it('tells of an object that was deleted and made again in a gap that the first one is gone', () => {
    watching();
    listWatch.failed(new ApiError(410, 'Gone', ''), START);
    equal(listWatch.next().type, 'list');
    const { gone, added } = listWatch.takePage(...page(9, '', object('x', 9, 'another')));
    deepEqual([gone[0]?.uid, added[0]?.uid], ['x', 'another']);
  });

  it('goes on from the last version after a watch that broke, and lists after one that was silent', () => {
    watching();
    listWatch.takeLine(line('BOOKMARK', { metadata: { resourceVersion: '40' } }));
    listWatch.failed(new ApiError(0, 'Broken', ''), START);
    ok(listWatch.next().query.includes('resourceVersion=40&'));
    listWatch.watchGranted(START);
    listWatch.failed(new ApiError(0, 'Silent', ''), after(START, 150_000));
    equal(listWatch.next().type, 'list');
  });

  it('waits longer after each failure, at most half a minute, and not after a success', () => {
    watching();
    const waits = Array.from({ length: 12 }, () => {
      listWatch.next();
      return listWatch.failed(new ApiError(0, 'NoAnswer', ''), START).waitMs;
    });
    ok(waits[0]! <= 500 && waits[11]! >= 15_000 && Math.max(...waits) <= 30_000, waits.join(' '));
    ok(listWatch.failed(new ApiError(429, 'Busy', '', { retryAfterMs: 77_000 }), START).waitMs >= 77_000);
    listWatch.next();
    listWatch.watchGranted(START);
    listWatch.takeLine(line('ADDED', object('y', 8)));
    ok(listWatch.failed(new ApiError(0, 'Broken', ''), START).waitMs <= 500);
  });

  it('serves again once a quiet watch stood for a while, whatever was before', () => {
    watching();
    for (const _ of [1, 2]) {
      listWatch.failed(new ApiError(0, 'Broken', ''), START);
      listWatch.next();
      listWatch.watchGranted(START);
    }
    equal(listWatch.serves, false);
    listWatch.watchStands(after(START, 9_999));
    equal(listWatch.serves, false);
    listWatch.watchStands(after(START, 10_000));
    equal(listWatch.serves, true);
    ok(
      listWatch.failed(new ApiError(0, 'Broken', ''), after(START, 10_001)).waitMs <= 500,
      'as a first failure',
    );
  });

  it('calls a watch that broke no fault where it stood for a while, and a second that brought nothing one', () => {
    watching();
    const broken = new ApiError(0, 'Broken', '');
    equal(listWatch.serves, true);
    equal(listWatch.failed(broken, after(START, 20_000)).isFault, false);
    for (const isFault of [false, true, true]) {
      listWatch.next();
      listWatch.watchGranted(START);
      equal(listWatch.failed(broken, START).isFault, isFault);
    }
    equal(listWatch.serves, false);
    listWatch.next();
    listWatch.watchGranted(START);
    equal(listWatch.serves, false, 'a watch is granted, but the last ones brought nothing');
    listWatch.takeLine(line('ADDED', object('y', 8)));
    equal(listWatch.serves, true);
  });
});

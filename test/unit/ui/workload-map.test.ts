import { deepEqual, equal, ok } from 'node:assert/strict';
import { WorkloadMap } from '../../../ui/picture/workload-map.ts';
import { outsider, pair, pod, totals } from './ui-fixtures.ts';

const WEB_1 = pod('red/web-5d9c7b8f6d-x2x4z', '10.32.0.2', 'n1');
const WEB_2 = pod('red/web-5d9c7b8f6d-kc7vb', '10.40.0.3', 'n2');
const DB = pod('blue/db-0', '10.40.0.2', 'n2');

describe('the map of workloads', () => {
  it('joins the pairs of the pods of two workloads into one edge, with its ports and ways', () => {
    const map = new WorkloadMap();
    map.take(
      totals([
        pair(WEB_1, DB, { port: 5432, service: '10.96.0.9' }),
        pair(WEB_2, DB, { port: 5432, service: '10.96.0.9' }),
        pair(WEB_2, DB, { port: 9090, began: 0, open: 0, sentBytes: 0, receivedBytes: 10 }),
      ]),
      1_000,
    );
    deepEqual(map.edges(), [
      {
        ...{ id: 'w:red/web>w:blue/db', source: 'w:red/web', target: 'w:blue/db', verdict: 'forwarded' },
        ...{ open: 2, beganPerS: 4, droppedPerS: 0, sentBytesPerS: 200, receivedBytesPerS: 1001 },
        ports: [
          {
            ...{ protocol: 'TCP', port: 5432, service: '10.96.0.9', open: 2, beganPerS: 4, droppedPerS: 0 },
            ...{ sentBytesPerS: 200, receivedBytesPerS: 1000 },
          },
          {
            ...{ protocol: 'TCP', port: 9090, service: null, open: 0, beganPerS: 0, droppedPerS: 0 },
            ...{ sentBytesPerS: 0, receivedBytesPerS: 1 },
          },
        ],
        ways: [
          { from: 'n1', to: 'n2' },
          { from: 'n2', to: 'n2' },
        ],
        policies: [],
      },
    ]);
    deepEqual(map.workloads(), [
      {
        ...{
          id: 'w:red/web',
          kind: 'workload',
          namespace: 'red',
          name: 'web',
          podCount: 2,
          nodes: ['n1', 'n2'],
        },
        pods: [
          { name: 'web-5d9c7b8f6d-x2x4z', node: 'n1', address: '10.32.0.2' },
          { name: 'web-5d9c7b8f6d-kc7vb', node: 'n2', address: '10.40.0.3' },
        ],
      },
      {
        ...{ id: 'w:blue/db', kind: 'workload', namespace: 'blue', name: 'db', podCount: 1, nodes: ['n2'] },
        pods: [{ name: 'db-0', node: 'n2', address: '10.40.0.2' }],
      },
    ]);
  });

  it('keeps who is silent for ten minutes, as idle, and forgets them then', () => {
    const map = new WorkloadMap();
    map.take(totals([pair(WEB_1, DB)]), 0);
    map.take(totals([]), 600_000);
    deepEqual(
      map.edges().map(({ verdict, open, ports }) => [verdict, open, ports]),
      [['idle', 0, []]],
    );
    map.take(totals([]), 600_001);
    deepEqual([map.edges(), map.workloads()], [[], []]);
  });

  it('tells what passed from what was denied, and by which policy', () => {
    const map = new WorkloadMap();
    const none = { open: 0, began: 0, sentBytes: 0, receivedBytes: 0 };
    map.take(totals([pair(WEB_1, DB, { ...none, drops: 5 })]), 0);
    deepEqual(map.takeDenied(WEB_1, DB, ['NetworkPolicy blue/closed'], 0), {
      source: 'w:red/web',
      target: 'w:blue/db',
    });
    deepEqual(
      map.edges().map(({ verdict, droppedPerS, policies }) => [verdict, droppedPerS, policies]),
      [['dropped', 0.5, ['NetworkPolicy blue/closed']]],
    );
    map.take(totals([pair(WEB_1, DB, { drops: 5 })]), 1);
    equal(map.edges()[0]!.verdict, 'mixed');
  });

  it('says nothing of a second where no second has passed', () => {
    const map = new WorkloadMap();
    map.take(totals([pair(WEB_1, DB)], { seconds: 0 }), 0);
    const [edge] = map.edges();
    deepEqual([edge!.open, edge!.beganPerS, edge!.sentBytesPerS], [1, 0, 0]);
  });

  it('is bounded: in workloads, edges, pods of one workload, addresses outside', () => {
    const map = new WorkloadMap();
    const rows = Array.from({ length: 3_000 }, (_, i) => {
      const address = `10.${i >> 8}.${i & 255}.1`;
      const solo = pod(`ns-${i}/solo`, address);
      return [
        pair(pod(`red/web-5d9c7b8f6d-${code(i)}`, address), outsider(address.replace('10.', '192.'))),
        pair(solo, DB),
        pair(solo, pod(`ns-${i}/b`, address)),
        pair(solo, pod(`ns-${i}/c`, address)),
        pair(pod(`ns-${i}/b`, address), pod(`ns-${i}/c`, address)),
      ];
    });
    map.take(totals(rows.flat()), 0);
    const workloads = map.workloads();
    ok(workloads.length === 2_000, `${workloads.length} workloads`);
    ok(map.edges().length <= 5_000, `${map.edges().length} edges`);
    const web = workloads.find(({ id }) => id === 'w:red/web');
    deepEqual([web!.podCount, web!.pods.length], [500, 20]);
    ok(workloads.filter(({ kind }) => kind === 'outside').length <= 66);
    const known = new Set(workloads.map(({ id }) => id));
    ok(map.edges().every(({ source, target }) => known.has(source) && known.has(target)));
  });
});

/** Five characters as Kubernetes puts them behind a name, another one for each number. */
function code(number: number): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  return Array.from({ length: 5 }, (_, i) => alphabet[Math.floor(number / 27 ** i) % 27]).join('');
}

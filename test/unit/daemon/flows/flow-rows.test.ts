import { deepEqual, equal } from 'node:assert/strict';
import type { PeerId } from '../../../../base/peer-id.ts';
import type { FlowFilter, FlowRow } from '../../../../control/flow-request.ts';
import { mayPassFlowFilter, passesFlowFilter } from '../../../../daemon/flows/flow-filter.ts';
import { addressesIn, type KnownNames, rowOf } from '../../../../daemon/flows/flow-rows.ts';
import type { FlowDrop, FlowEvent } from '../../../../flows/flow.ts';

const [HERE, THERE] = ['here', 'there'] as [PeerId, PeerId];
const NAMES: KnownNames = {
  nodeName: (peer) => `node-${peer}`,
  isNodeAddress: (address) => address === '10.1.0.1',
  podName: (address) => ({ '10.1.0.5': 'shop/web', '10.2.0.7': 'shop/db' })[address],
};
const EVENT: FlowEvent = {
  kind: 'end',
  atMs: 2_000,
  flow: {
    source: '10.1.0.5',
    sourcePort: 40_000,
    destination: '10.96.0.10',
    destinationPort: 80,
    target: '10.2.0.7',
    targetPort: 8080,
    protocol: 6,
    sourceOwner: HERE,
    targetOwner: THERE,
    direction: 'out',
    startedAtMs: undefined,
  },
  isReplied: true,
  sent: { packets: 1, bytes: 100 },
  received: undefined,
  isNew: false,
  moved: undefined,
};
const DROP: FlowDrop = {
  kind: 'drop',
  atMs: 3_000,
  source: '192.0.2.1',
  sourcePort: -1,
  target: '10.1.0.1',
  targetPort: -1,
  protocol: 'ICMP',
  way: 'ingress',
  policies: ['NetworkPolicy shop/deny'],
  sourceOwner: undefined,
  targetOwner: HERE,
};

describe('rows of flows', () => {
  it('have the names of pods and nodes, and the Service that was translated', () => {
    deepEqual(rowOf(EVENT, NAMES), {
      kind: 'end',
      at: 2_000,
      verdict: 'forwarded',
      protocol: 'TCP',
      source: { address: '10.1.0.5', port: 40_000, pod: 'shop/web', node: 'node-here', isNode: false },
      target: { address: '10.2.0.7', port: 8080, pod: 'shop/db', node: 'node-there', isNode: false },
      service: { address: '10.96.0.10', port: 80 },
      direction: 'out',
      replied: true,
      startedAt: null,
      sent: { packets: 1, bytes: 100 },
      received: null,
    });
  });

  it('say which policies denied a packet, and what is a node or outside', () => {
    deepEqual(rowOf(DROP, NAMES), {
      kind: 'drop',
      at: 3_000,
      verdict: 'dropped',
      protocol: 'ICMP',
      source: { address: '192.0.2.1', port: null, pod: null, node: null, isNode: false },
      target: { address: '10.1.0.1', port: null, pod: null, node: 'node-here', isNode: true },
      way: 'ingress',
      policies: ['NetworkPolicy shop/deny'],
    });
  });

  it('need the names of addresses of the cluster alone', () => {
    deepEqual([...addressesIn([EVENT, DROP, { kind: 'repaired', atMs: 0, found: 0, gone: 0 }])].sort(), [
      '10.1.0.1',
      '10.1.0.5',
      '10.2.0.7',
    ]);
  });
});

describe('the filter of flows', () => {
  const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = { '10.2.0.7': { app: 'db' } };
  const passes = (row: FlowRow, filter: FlowFilter): boolean =>
    passesFlowFilter(row, filter, (address) => labels[address]);
  const row = rowOf(EVENT, NAMES);
  const cases: readonly (readonly [FlowFilter, boolean])[] = [
    [{}, true],
    [{ pod: 'shop/db' }, true],
    [{ pod: '10.1.0.5' }, true],
    [{ pod: 'shop/other' }, false],
    [{ from: 'shop/web' }, true],
    [{ from: 'shop/db' }, false],
    [{ to: 'shop/db' }, true],
    [{ to: '10.96.0.10' }, true],
    [{ to: 'shop/web' }, false],
    [{ namespace: 'shop' }, true],
    [{ namespace: 'sho' }, false],
    [{ label: 'app=db' }, true],
    [{ label: 'app' }, true],
    [{ label: 'app=web' }, false],
    [{ label: 'constructor' }, false],
    [{ port: 80 }, true],
    [{ port: 8080 }, true],
    [{ port: 40_000 }, false],
    [{ verdict: 'dropped' }, false],
    [{ node: 'node-there' }, true],
    [{ node: 'node-x' }, false],
    [{ namespace: 'shop', port: 81 }, false],
  ];
  for (const [filter, expected] of cases)
    it(`${expected ? 'takes' : 'leaves out'} ${JSON.stringify(filter)}`, () =>
      equal(passes(row, filter), expected));

  it('leaves out before names are known only what it would leave out after', () => {
    for (const record of [EVENT, DROP]) {
      for (const [filter] of cases) {
        if (passes(rowOf(record, NAMES), filter)) equal(mayPassFlowFilter(record, filter), true);
      }
    }
    for (const filter of [
      { port: 81 },
      { verdict: 'dropped' },
      { from: '10.2.0.7' },
      { to: '10.1.0.5' },
    ] as const)
      equal(mayPassFlowFilter(EVENT, filter), false, JSON.stringify(filter));
  });

  it('never hides that something is missing', () => {
    const gap: FlowRow = { kind: 'gap', at: 0, from: 0, reason: 'overrun', count: null };
    equal(passes(gap, { pod: 'a/b', verdict: 'dropped' }), true);
  });
});

import { deepEqual, equal } from 'node:assert/strict';
import { Counters } from '../../../base/counters.ts';
import { FLOW_COUNTERS } from '../../../flows/flow-counters.ts';
import { FlowTable } from '../../../flows/flow-table.ts';
import { FlowTotals } from '../../../flows/flow-totals.ts';
import { message, OWNERS, SELF } from './messages.ts';

function watched(maxPairs?: number) {
  const counters = new Counters(FLOW_COUNTERS);
  const totals = new FlowTotals(counters, maxPairs);
  let nowMs = 0;
  const table = new FlowTable({ counters, onEvent: (event) => totals.addEvent(event, nowMs) });
  const take = (atMs: number, options: Parameters<typeof message>[0]): void => {
    nowMs = atMs;
    table.take(message(options), OWNERS, atMs);
  };
  const since = (ms: number): (string | number | undefined)[][] =>
    totals
      .since(ms)
      .map(({ pair, connections, sentBytes, receivedBytes }) => [
        pair?.source,
        pair?.target,
        connections,
        sentBytes,
        receivedBytes,
      ]);
  return { counters, totals, take, since };
}

describe('the totals of flows', () => {
  it('add the connections of a pair, whatever ports its clients have', () => {
    const { take, since } = watched();
    take(1_000, { id: 1 });
    take(1_000, { id: 2 });
    take(2_000, { kind: 'end', id: 1, bytes: [100, 10] });
    take(2_000, { kind: 'end', id: 2, bytes: [200, 20] });
    deepEqual(since(0), [['10.1.0.5', '10.2.0.7', 2, 300, 30]]);
  });

  it('take all of outside for one source', () => {
    const { take, since } = watched();
    take(0, { id: 1, source: '192.0.2.1', destination: '10.1.0.5' });
    take(0, { id: 2, source: '192.0.2.2', destination: '10.1.0.5' });
    deepEqual(since(0), [[undefined, '10.1.0.5', 2, 0, 0]]);
  });

  it('forget after ten minutes, and tell of less where less is asked for', () => {
    const { take, since } = watched();
    take(5_000, { id: 1 });
    take(65_000, { id: 2, destination: '10.2.0.8' });
    deepEqual(since(60_000), [['10.1.0.5', '10.2.0.8', 1, 0, 0]]);
    equal(since(0).length, 2);
    for (let i = 0; i < 60; i++) take(70_000 + i * 10_000, { id: 10 + i, destination: '10.2.0.9' });
    deepEqual(since(0), [['10.1.0.5', '10.2.0.9', 60, 0, 0]]);
  });

  it('are bounded: what has no place counts as others', () => {
    const { take, since, counters } = watched(2);
    for (let i = 1; i <= 5; i++) take(0, { id: i, destination: `10.2.0.${i}` });
    deepEqual(since(0), [
      ['10.1.0.5', '10.2.0.1', 1, 0, 0],
      ['10.1.0.5', '10.2.0.2', 1, 0, 0],
      [undefined, undefined, 3, 0, 0],
    ]);
    equal(counters.get('flow.otherPairs'), 3);
  });

  it('count denied packets beside', () => {
    const { totals } = watched();
    totals.addDrop(
      {
        kind: 'drop',
        atMs: 0,
        source: '10.1.0.5',
        sourcePort: 1,
        target: '10.1.0.6',
        targetPort: 80,
        protocol: 'TCP',
        way: 'ingress',
        policies: [],
        sourceOwner: SELF,
        targetOwner: SELF,
      },
      0,
    );
    deepEqual(
      totals.since(0).map(({ pair, drops }) => [pair?.target, drops]),
      [['10.1.0.6', 1]],
    );
  });
});

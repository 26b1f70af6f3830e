import { deepEqual } from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { addressesOfTotals, rankTotals, totalRow } from '../../../../daemon/flows/total-rows.ts';
import { FLOW_COUNTERS } from '../../../../flows/flow-counters.ts';
import { FlowTable } from '../../../../flows/flow-table.ts';
import { FlowTotals } from '../../../../flows/flow-totals.ts';
import { message, OWNERS } from '../../flows/messages.ts';

function watched(...messages: Parameters<typeof message>[0][]) {
  const counters = new Counters(FLOW_COUNTERS);
  const totals = new FlowTotals(counters, 3);
  const table = new FlowTable({ counters, onEvent: (event) => totals.addEvent(event, 0) });
  for (const options of messages) table.take(message(options), OWNERS, 0);
  return { totals: totals.since(0), live: () => table.live(0) };
}

const NAMES = { nodeName: String, isNodeAddress: () => false, podName: (address: string) => `ns/${address}` };

describe('the totals of pairs', () => {
  const { totals, live } = watched(
    { id: 1, destination: '10.2.0.1' },
    { kind: 'end', id: 1, destination: '10.2.0.1', bytes: [5, 5] },
    { id: 2, destination: '10.96.0.1', target: '10.2.0.2' },
    { kind: 'end', id: 2, destination: '10.96.0.1', target: '10.2.0.2', bytes: [900, 10] },
    { id: 3, destination: '10.2.0.3' },
    { id: 4, destination: '10.2.0.3' },
    { id: 5, destination: '10.2.0.4' },
  );
  const ranked = (by: 'bytes' | 'connections', limit: number) => {
    const { rows, others } = rankTotals(totals, live(), { by, limit });
    const targets = rows.map(({ pair, open, connections }) => [pair.target, open, connections]);
    return { targets, others };
  };

  it('are sorted by what was asked for, with what is open now', () => {
    deepEqual(ranked('bytes', 10).targets, [
      ['10.2.0.2', 0, 1],
      ['10.2.0.1', 0, 1],
      ['10.2.0.3', 2, 2],
      ['10.2.0.4', 1, 0],
    ]);
    deepEqual(ranked('connections', 1).targets, [['10.2.0.3', 2, 2]]);
  });

  it('tell of the others together: those beyond the limit and those that had no place', () => {
    deepEqual(ranked('bytes', 2).others, { open: 3, began: 3, drops: 0, sentBytes: 0, receivedBytes: 0 });
  });

  it('become rows with names, and the Service', () => {
    const { rows } = rankTotals(totals, live(), { by: 'bytes', limit: 1 });
    deepEqual(
      rows.map((row) => totalRow(row, NAMES)),
      [
        {
          source: { address: '10.1.0.5', port: null, pod: 'ns/10.1.0.5', node: 'self', isNode: false },
          target: { address: '10.2.0.2', port: 8080, pod: 'ns/10.2.0.2', node: 'peer', isNode: false },
          service: '10.96.0.1',
          port: 80,
          protocol: 'TCP',
          open: 0,
          began: 1,
          drops: 0,
          sentBytes: 900,
          receivedBytes: 10,
        },
      ],
    );
    deepEqual([...addressesOfTotals(rows)], ['10.1.0.5', '10.2.0.2']);
  });
});

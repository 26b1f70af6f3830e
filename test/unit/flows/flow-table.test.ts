import { deepEqual, equal } from 'node:assert/strict';
import { Counters } from '../../../base/counters.ts';
import { toldAs } from '../../../flows/address-owners.ts';
import type { FlowEvent } from '../../../flows/flow.ts';
import { FLOW_COUNTERS } from '../../../flows/flow-counters.ts';
import { FlowTable } from '../../../flows/flow-table.ts';
import { message, OWNERS, PEER, SELF } from './messages.ts';

function newTable(maxFlows = 100) {
  const events: FlowEvent[] = [];
  const counters = new Counters(FLOW_COUNTERS);
  const table = new FlowTable({ counters, onEvent: (event) => events.push(event), maxFlows });
  const take = (options: Parameters<typeof message>[0], nowMs = 1_000): void =>
    table.take(message(options), OWNERS, nowMs);
  const kinds = (): string[] => events.splice(0).map(({ kind, isNew }) => (isNew ? `${kind}*` : kind));
  return { table, events, counters, take, kinds };
}

describe('who tells of a connection', () => {
  const cases = [
    { what: 'the node of the source', source: SELF, target: PEER, seenSource: SELF, told: 'out' },
    { what: 'the node of both ends', source: SELF, target: SELF, seenSource: SELF, told: 'local' },
    {
      what: 'the node of the source, to outside',
      source: SELF,
      target: undefined,
      seenSource: undefined,
      told: 'out',
    },
    { what: 'not the node of the target', source: PEER, target: SELF, seenSource: PEER, told: undefined },
    {
      what: 'the node of the target, from outside',
      source: undefined,
      target: SELF,
      seenSource: undefined,
      told: 'in',
    },
    {
      what: 'who sends it on under its own address',
      source: undefined,
      target: PEER,
      seenSource: SELF,
      told: 'through',
    },
    {
      what: 'not who sends it on as it is',
      source: undefined,
      target: PEER,
      seenSource: undefined,
      told: undefined,
    },
    {
      what: 'nobody, where it does not concern pods',
      source: undefined,
      target: undefined,
      seenSource: undefined,
      told: undefined,
    },
  ] as const;
  for (const { what, told, ...ends } of cases) it(`is ${what}`, () => equal(toldAs(ends, SELF), told));
});

describe('the table of flows', () => {
  it('tells beginning and end, with the Service and the pod behind it', () => {
    const { take, events } = newTable();
    take({ destination: '10.96.0.10', target: '10.2.0.7' }, 1_000);
    take(
      { kind: 'end', destination: '10.96.0.10', target: '10.2.0.7', bytes: [300, 200], replied: true },
      2_000,
    );
    const flow = {
      source: '10.1.0.5',
      sourcePort: 40_000,
      destination: '10.96.0.10',
      destinationPort: 80,
      target: '10.2.0.7',
      targetPort: 8080,
      protocol: 6,
      sourceOwner: SELF,
      targetOwner: PEER,
      direction: 'out',
      startedAtMs: 1_000,
    };
    const [sent, received] = [
      { packets: 3, bytes: 300 },
      { packets: 2, bytes: 200 },
    ];
    deepEqual(events, [
      {
        kind: 'start',
        atMs: 1_000,
        flow,
        isReplied: false,
        sent: undefined,
        received: undefined,
        isNew: true,
        moved: undefined,
      },
      {
        kind: 'end',
        atMs: 2_000,
        flow,
        isReplied: true,
        sent,
        received,
        isNew: false,
        moved: { sent, received },
      },
    ]);
  });

  it('is silent about what another node tells', () => {
    const { take, kinds, table } = newTable();
    take({ source: '10.2.0.7', destination: '10.1.0.5' });
    take({ kind: 'end', source: '10.2.0.7', destination: '10.1.0.5' });
    deepEqual(kinds(), []);
    deepEqual([...table.live(0)], []);
  });

  it('takes what the first dump finds for what was there, and what a later one finds for what was missed', () => {
    const { take, kinds, table } = newTable();
    table.beginDump();
    take({ kind: 'live', id: 1, bytes: [100, 100] });
    equal(table.endDump(0), 0);
    deepEqual(kinds(), ['live']);
    table.beginDump();
    take({ kind: 'live', id: 1, bytes: [100, 100] });
    take({ kind: 'live', id: 2, bytes: [700, 100] });
    equal(table.endDump(0), 0);
    deepEqual(kinds(), ['live*']);
  });

  it('tells in a dump what has moved since, and what has gone unseen', () => {
    const { take, events, table } = newTable();
    take({ id: 1 });
    take({ id: 2 });
    events.length = 0;
    table.beginDump();
    take({ kind: 'live', id: 1, bytes: [900, 100], replied: true });
    take({ id: 3 });
    equal(table.endDump(5_000), 1);
    deepEqual(
      events.map(({ kind, atMs, moved }) => [kind, atMs, moved?.sent.bytes]),
      [
        ['update', 1_000, 900],
        ['start', 1_000, undefined],
        ['gone', 5_000, undefined],
      ],
    );
    deepEqual(
      [...table.live(0)].map(({ sent }) => sent?.bytes),
      [900, undefined],
    );
  });

  it('counts bytes once, whichever messages tell them', () => {
    const { take, events, table } = newTable();
    take({ id: 1 });
    table.beginDump();
    take({ kind: 'live', id: 1, bytes: [500, 50] });
    table.endDump(0);
    take({ kind: 'end', id: 1, bytes: [800, 80] });
    const sum = events.reduce((all, { moved }) => all + (moved?.sent.bytes ?? 0), 0);
    equal(sum, 800);
  });

  it('tells an end that it knows no beginning of, with all that it moved', () => {
    const { take, events } = newTable();
    take({ kind: 'end', bytes: [800, 80] });
    deepEqual(
      events.map(({ kind, isNew, moved }) => [kind, isNew, moved?.sent.bytes]),
      [['end', true, 800]],
    );
  });

  it('takes an id that comes again for another connection', () => {
    const { take, kinds } = newTable();
    take({ id: 1 });
    take({ id: 1, destination: '10.2.0.9' });
    deepEqual(kinds(), ['start*', 'gone', 'start*']);
  });

  it('is bounded, and counts no connection twice for that', () => {
    const { take, kinds, table, counters } = newTable(2);
    for (const id of [1, 2, 3]) take({ id });
    deepEqual(kinds(), ['start*', 'start*', 'start*']);
    equal([...table.live(0)].length, 2);
    equal(table.isIncomplete, true);
    equal(counters.get('flow.untracked'), 1);
    table.beginDump();
    take({ kind: 'live', id: 3 });
    deepEqual(kinds(), []);
    take({ kind: 'end', id: 3 });
    deepEqual(kinds(), ['end']);
  });
});

import { deepEqual, equal } from 'node:assert/strict';
import { readPeerAnswer as readAnswer } from '../../../../daemon/flows/peer-answer.ts';

const END = { address: '10.1.0.5', port: 80, pod: 'shop/web', node: 'n1', isNode: false };
const ROW = {
  kind: 'live',
  at: 1,
  verdict: 'forwarded',
  protocol: 'TCP',
  source: END,
  target: { ...END, port: null, pod: null, node: null },
  service: { address: '10.96.0.10', port: 80 },
  direction: 'out',
  replied: true,
  startedAt: null,
  sent: { packets: 1, bytes: 2 },
  received: null,
};
const AMOUNTS = { open: 1, began: 2, drops: 0, sentBytes: 3, receivedBytes: 4 };
const TOTAL = { source: null, target: END, service: null, port: 80, protocol: 'TCP', ...AMOUNTS };
const TUNNEL = {
  ...{ peerId: 'c', state: 'connected', endpoint: null, via: null, datapath: null, suite: null, rttMs: null },
  ...{ mtu: 1420, mtuConfirmed: true, loss: null, link: null, sentBytes: 1, receivedBytes: 2 },
};
const OPEN = { rows: [ROW], cursor: 'x.1-7', lost: 0, more: 0, notes: ['a'] };
const TOTALS = { rows: [TOTAL], others: AMOUNTS, seconds: 9, notes: [] };

const readPeerAnswer = (text: string, limit = 10) => readAnswer(text, limit);

describe('the answer of another node about its flows', () => {
  it('is read', () => {
    deepEqual(readPeerAnswer(JSON.stringify(OPEN)), OPEN);
    deepEqual(readPeerAnswer(JSON.stringify(TOTALS)), {
      totals: [TOTAL],
      others: AMOUNTS,
      seconds: 9,
      notes: [],
    });
    const tunnels = { tunnels: new Array(10).fill(TUNNEL), more: 1 };
    deepEqual(readPeerAnswer(JSON.stringify(tunnels)), tunnels);
    deepEqual(readPeerAnswer('{"error":"busy"}'), { error: 'busy' });
  });

  it('is not taken where anything in it is of another form', () => {
    const wrongRows = [
      { ...ROW, kind: 'gap' },
      { ...ROW, at: '1' },
      { ...ROW, at: 8.64e15 + 1 },
      { ...ROW, startedAt: 1e16 },
      { kind: 'gap', at: 1, from: 1e308, reason: 'flood', count: null },
      { ...ROW, sent: { packets: 1, bytes: 1e300 } },
      { ...ROW, verdict: 'dropped' },
      { ...ROW, protocol: 'x'.repeat(401) },
      { ...ROW, source: null },
      { ...ROW, target: { ...END, address: 'nowhere' } },
      { ...ROW, target: { ...END, port: 70_000 } },
      { ...ROW, target: { ...END, pod: 7 } },
      { ...ROW, service: { address: 'x', port: 1 } },
      { ...ROW, direction: 'up' },
      { ...ROW, replied: 1 },
      { ...ROW, sent: { packets: -1, bytes: 0 } },
    ];
    const wrongTotals = [
      { ...TOTAL, open: -1 },
      { ...TOTAL, sentBytes: null },
      { ...TOTAL, target: null },
      { ...TOTAL, service: 'web' },
      { ...TOTAL, protocol: 6 },
    ];
    const wrong = [
      ...wrongRows.map((row) => ({ ...OPEN, rows: [row] })),
      ...wrongTotals.map((row) => ({ ...TOTALS, rows: [row] })),
      { ...OPEN, notes: [1] },
      { ...OPEN, more: 'some' },
      { ...OPEN, cursor: undefined },
      { ...OPEN, lost: -1 },
      { ...OPEN, rows: new Array(11).fill(ROW) },
      { ...TOTALS, rows: new Array(11).fill(TOTAL) },
      { tunnels: new Array(11).fill(TUNNEL), more: 0 },
      { ...TOTALS, others: {} },
      { ...TOTALS, seconds: undefined },
      [],
      null,
    ];
    for (const each of wrong)
      equal(readPeerAnswer(JSON.stringify(each)), undefined, JSON.stringify(each)?.slice(0, 200));
    equal(readPeerAnswer('{'), undefined);
  });
});

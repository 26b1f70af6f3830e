import { equal, match } from 'node:assert/strict';
import type { FlowRow, FlowsResult } from '../../../control/flow-request.ts';
import { deniedLately } from '../../../why/denied-lately.ts';

const NOTHING: FlowsResult = {
  node: 'n1',
  rows: [],
  ...{ cursor: '', lost: 0, more: 0, counted: false, recording: true, notes: [] },
};
const END = { address: '10.32.0.2', port: 80, pod: null, node: 'n1', isNode: false };
const DROP: FlowRow = {
  kind: 'drop',
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
  verdict: 'dropped',
  protocol: 'TCP',
  source: END,
  target: END,
  way: 'ingress',
  policies: ['NetworkPolicy ns/deny'],
};

describe('what was denied of a pair before', () => {
  it('is told with when, what, and by whom', () => {
    equal(
      deniedLately({ ...NOTHING, rows: [DROP, DROP] }).seen,
      '2 packets of this pair; the last at 2026-01-02T03:04:05.000Z, TCP 80, ingress, by NetworkPolicy ns/deny',
    );
  });

  it('is nothing, or not known where nobody recorded it', () => {
    match(deniedLately(NOTHING).seen, /^no packet of this pair/);
    equal(deniedLately({ ...NOTHING, recording: false }).verdict, 'skipped');
  });
});

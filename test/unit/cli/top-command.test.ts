import { deepEqual, equal, match } from 'node:assert/strict';
import { Command } from 'commander';
import type { WeftError } from '../../../base/weft-error.ts';
import { addTopCommands } from '../../../cli/top-command.ts';
import type { FlowTotalRow, FlowTotalsResult } from '../../../control/flow-request.ts';

function end(pod: string | null, address: string, node: string | null) {
  return { address, port: null, pod, node, isNode: false };
}
const AMOUNTS = { open: 1, began: 12, drops: 0, sentBytes: 2048, receivedBytes: 10 };
const ROWS: readonly FlowTotalRow[] = [
  {
    ...AMOUNTS,
    source: end('shop/web\u001b[2J', '10.1.0.5', 'n1'),
    target: end('shop/db', '10.2.0.7', 'n2'),
    service: '10.96.0.10',
    port: 80,
    protocol: 'TCP',
  },
  {
    ...AMOUNTS,
    source: null,
    target: end('shop/web\u001b[2J', '10.1.0.5', 'n1'),
    service: null,
    port: null,
    protocol: 'ICMP',
    drops: 3,
  },
];
const RESULT: FlowTotalsResult = {
  node: 'n1',
  seconds: 10,
  rows: ROWS,
  others: { ...AMOUNTS, open: 0 },
  counted: true,
  notes: ['a note\n'],
  nodes: 2,
  silent: [{ node: 'n3\u001b', reason: 'it is down' }],
};

async function run(
  name: 'top' | 'map',
  argv: readonly string[],
): Promise<{ asked: unknown[]; stdout: string }> {
  const asked: unknown[] = [];
  let stdout = '';
  const world = {
    ask: async (_: string, request: object) => {
      asked.push(request);
      return RESULT as never;
    },
    out: (text: string) => {
      stdout += text;
    },
  };
  const commands = { top: new Command('top'), map: new Command('map') };
  addTopCommands(commands, world, { runDir: () => '/run', json: () => false });
  await commands[name].parseAsync([...argv], { from: 'user' });
  return { asked, stdout };
}

const TAIL = ['', 'of 2 nodes; not of n3?: it is down', 'note: a note?', ''];

describe('weft top', () => {
  it('lists pairs, the busiest first', async () => {
    const { asked, stdout } = await run('top', []);
    deepEqual(asked, [{ op: 'flowTotals', seconds: 10, wait: true, by: 'bytes', limit: 20 }]);
    equal(
      stdout,
      [
        'in the last 10 s, by bytes',
        '',
        'FROM          TO            PORT                  OPEN  BEGAN  DENIED  SENT     GOT',
        'shop/web?[2J  shop/db       TCP 80 of 10.96.0.10  1     12     0       2.0 KiB  10 B',
        'outside       shop/web?[2J  ICMP                  1     12     3       2.0 KiB  10 B',
        '',
        'others  0 open, 12 began, sent 2.0 KiB, got 10 B',
        ...TAIL,
      ].join('\n'),
    );
  });

  it('sums up pods, as source and as target', async () => {
    const { asked, stdout } = await run('top', [
      '--pods',
      '--by',
      'connections',
      '--seconds',
      '60',
      '--cluster',
    ]);
    deepEqual(asked, [
      { op: 'flowTotals', seconds: 60, wait: true, by: 'connections', limit: 1_000, cluster: true },
    ]);
    match(stdout, /^shop\/web\?\[2J {2}2 {5}24 {5}3 {7}2\.0 KiB {2}2\.0 KiB$/m);
    match(stdout, /^shop\/db {7}1 {5}12 {5}0 {7}10 B {5}2\.0 KiB$/m);
  });

  it('refuses what it does not understand', async () => {
    for (const argv of [
      ['--by', 'x'],
      ['--seconds', '0'],
      ['--limit', '1001'],
    ]) {
      const error = await run('top', argv).catch((cause: unknown) => cause);
      equal((error as WeftError).code, 'E_USAGE');
    }
  });
});

describe('weft map', () => {
  it('shows each source with whom it talks to', async () => {
    const { asked, stdout } = await run('map', []);
    deepEqual(asked, [{ op: 'flowTotals', seconds: 600, wait: false, by: 'connections', limit: 1_000 }]);
    equal(
      stdout,
      [
        'outside',
        '  > shop/web?[2J  ICMP  1 open, 12 began, 3 packets DENIED, sent 2.0 KiB, got 10 B',
        'shop/web?[2J',
        '  > shop/db  TCP 80 of 10.96.0.10  1 open, 12 began, sent 2.0 KiB, got 10 B',
        'others  0 open, 12 began, sent 2.0 KiB, got 10 B',
        ...TAIL,
      ].join('\n'),
    );
  });
});

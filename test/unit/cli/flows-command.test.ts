import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { Command } from 'commander';
import { WeftError } from '../../../base/weft-error.ts';
import { addFlowsCommand } from '../../../cli/flows-command.ts';
import type { FlowRow, FlowsResult } from '../../../control/flow-request.ts';

const ROW: FlowRow = {
  kind: 'end',
  at: Date.UTC(2026, 0, 1, 12, 30, 5, 7),
  verdict: 'forwarded',
  protocol: 'TCP',
  source: { address: '10.1.0.5', port: 40_000, pod: 'shop/web\u001b[2J', node: 'n1', isNode: false },
  target: { address: 'fd00::7', port: 8080, pod: null, node: 'n2\r\n', isNode: true },
  service: { address: '10.96.0.10', port: 80 },
  direction: 'out',
  replied: false,
  startedAt: null,
  sent: { packets: 2, bytes: 1536 },
  received: { packets: 1, bytes: 10 },
};
const DROP: FlowRow = {
  kind: 'drop',
  at: 0,
  verdict: 'dropped',
  protocol: 'UDP',
  source: ROW.source,
  target: { address: '10.1.0.9', port: 53, pod: 'kube-system/dns', node: 'n1', isNode: false },
  way: 'egress',
  policies: ['NetworkPolicy shop/\u009b31m'],
};

class FlowsWorldOfTest {
  readonly asked: unknown[] = [];
  readonly results: (Partial<FlowsResult> | WeftError)[] = [];
  stdout = '';
  stderr = '';
  readonly pinging = { pause: async () => undefined };

  async ask(_: string, request: object): Promise<never> {
    this.asked.push(request);
    const result = this.results.shift() ?? {};
    if (result instanceof WeftError) throw result;
    const { length } = this.asked;
    const none = { node: 'n1', rows: [], lost: 0, more: 0, counted: true, recording: false, notes: [] };
    return { ...none, cursor: `c-${length}`, ...result } as never;
  }
  out(text: string): void {
    this.stdout += text;
  }
  err(text: string): void {
    this.stderr += text;
  }
  isHeard(): boolean {
    return this.results.length > 0;
  }

  async run(argv: readonly string[], json = false): Promise<void> {
    const program = new Command('flows').exitOverride().configureOutput({ writeErr: () => undefined });
    addFlowsCommand(program, this, { runDir: () => '/run', json: () => json });
    await program.parseAsync([...argv], { from: 'user' });
  }
}

describe('weft flows', () => {
  it('asks for what is open, with filters, and prints a line each, harmless whatever names hold', async () => {
    const world = new FlowsWorldOfTest();
    world.results.push({ rows: [ROW, DROP], more: 3, notes: ['no names\u001b[31m'] });
    await world.run(['--namespace', 'shop', '--port', '80', '--verdict', 'forwarded', '--limit', '9']);
    const filter = { namespace: 'shop', port: 80, verdict: 'forwarded' };
    deepEqual(world.asked, [{ op: 'flows', want: 'open', cursor: '', limit: 9, filter }]);
    equal(
      world.stdout,
      [
        '12:30:05.007  end      TCP   shop/web?[2J 10.1.0.5:40000 > node n2?? [fd00::7]:8080  via 10.96.0.10:80  sent 1.5 KiB, got 10 B  no answer',
        '00:00:00.000  DROPPED  UDP   shop/web?[2J 10.1.0.5:40000 > kube-system/dns 10.1.0.9:53  egress, by NetworkPolicy shop/?31m',
        '3 more: give --limit, or a filter',
        '',
        'note: no names?[31m',
        '',
      ].join('\n'),
    );
  });

  it('follows from cursor to cursor until its reader has gone, and says what was lost', async () => {
    const world = new FlowsWorldOfTest();
    const gap: FlowRow = { kind: 'gap', at: 1_000, from: 0, reason: 'overrun', count: null };
    world.results.push(
      { notes: ['a note'] },
      { rows: [DROP], lost: 12 },
      { rows: [gap], notes: ['a note'] },
      {},
    );
    await world.run(['-f']);
    deepEqual(
      world.asked.map((request) => (request as { cursor: string }).cursor),
      ['', 'c-1', 'c-2', 'c-3'],
    );
    match(world.stdout, /^--- 12 lost: this reader was too slow ---\n00:00:00.000 {2}DROPPED .*\n/);
    match(
      world.stdout,
      /\n00:00:01.000 {2}--- events missing since 00:00:00.000: the kernel had more .* ---\n$/,
    );
    equal(world.stderr, 'weft: a note\n');
  });

  it('follows the whole cluster, and says which nodes do not tell, and which tell again', async () => {
    const results = [
      { silent: [{ node: 'n2', reason: 'it is down' }] },
      { rows: [DROP], silent: [{ node: 'n2', reason: 'it is down' }] },
      {
        rows: [{ kind: 'gap', at: 0, from: 0, reason: 'flood', count: 2, node: 'n3\u001b' } as const],
        silent: [],
      },
      {},
    ];
    const world = new FlowsWorldOfTest();
    world.results.push(...results);
    await world.run(['-f', '--cluster', '--verdict', 'dropped']);
    deepEqual(world.asked[0], {
      ...{ op: 'flows', want: 'follow', cursor: '', limit: 500 },
      ...{ filter: { verdict: 'dropped' }, cluster: true },
    });
    const [silent, drop, back, gap] = world.stdout.split('\n');
    deepEqual([silent, back], ['--- not of n2: it is down ---', '--- of n2 again ---']);
    match(drop!, /DROPPED/);
    match(gap!, /--- n3\?: 2 events missing since /);

    const asJson = new FlowsWorldOfTest();
    asJson.results.push(...results);
    await asJson.run(['-f', '--cluster'], true);
    const kinds = asJson.stdout.trim().split('\n');
    deepEqual(JSON.parse(kinds[0]!), { kind: 'silent', node: 'n2', reason: 'it is down' });
    deepEqual(JSON.parse(kinds[2]!), { kind: 'tells', node: 'n2' });
  });

  it('prints JSON, a row a line where it follows', async () => {
    const world = new FlowsWorldOfTest();
    world.results.push({}, { rows: [ROW, DROP], lost: 2 }, {});
    await world.run(['--follow'], true);
    const lines = world.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    deepEqual(lines[0], { kind: 'lost', count: 2 });
    deepEqual(lines.slice(1), [ROW, DROP]);
    ok(!world.stdout.includes('\u001b'));
  });

  it('goes on after a weftd that was replaced, and ends where none comes back', async () => {
    const away = new WeftError('E_NO_DAEMON', 'no weftd answers', 'start it');
    const world = new FlowsWorldOfTest();
    world.results.push({}, away, away, { rows: [DROP] }, {});
    await world.run(['-f']);
    match(world.stdout, /DROPPED/);

    const first = new FlowsWorldOfTest();
    first.results.push(away, {});
    await first.run(['-f']).then(
      () => ok(false, 'it begins although no weftd answers'),
      (error: unknown) => equal((error as WeftError).code, 'E_NO_DAEMON'),
    );
  });

  it('refuses what it does not understand', async () => {
    for (const argv of [
      ['--port', '0'],
      ['--limit', '5000'],
      ['--last', 'x'],
      ['--verdict', 'no'],
      ['--pod', 'web'],
      ['-f', '--last', '3'],
    ]) {
      const error = await new FlowsWorldOfTest().run(argv).catch((cause: unknown) => cause);
      equal((error as WeftError | undefined)?.code, 'E_USAGE', argv.join(' '));
    }
  });
});

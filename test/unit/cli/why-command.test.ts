import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { Command } from 'commander';
import { addWhyCommand, CannotTalkError } from '../../../cli/why-command.ts';
import type { WhyResult } from '../../../why/why.io.ts';

const DENIED: WhyResult = {
  source: { text: 'ns/a', pod: 'ns/a', address: '10.32.0.2', node: 'n1' },
  target: { text: '10.40.0.2', pod: null, address: '10.40.0.2', node: 'n2\u001b[2J' },
  asked: { protocol: 'TCP', port: 80 },
  findings: [
    { check: 'source', verdict: 'ok', seen: 'by wv1' },
    { check: 'route', verdict: 'fault', seen: 'no route\u001b[2J', remedy: 'set one' },
  ],
  probe: null,
  verdict: { talk: false, station: 'route', because: 'no route', remedy: 'set one' },
};

describe('weft why', () => {
  const run = async (result: WhyResult, ...args: string[]) => {
    let out = '';
    const asked: unknown[] = [];
    const command = new Command('why').exitOverride().configureOutput({ writeErr: () => undefined });
    addWhyCommand(
      command,
      (runDir, question) => {
        asked.push([runDir, question]);
        return Promise.resolve(result);
      },
      {
        runDir: () => '/run/weft',
        print: (value, format) => {
          out += format(value);
        },
      },
    );
    const ended = await command.parseAsync(args, { from: 'user' }).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { out, asked, ended };
  };

  it('says where and why two cannot talk, and what to do, and fails', async () => {
    const { out, asked, ended } = await run(DENIED, 'ns/a', '10.40.0.2', '80');
    ok(ended instanceof CannotTalkError);
    match(out, /^ns\/a \(10\.32\.0\.2\) on n1 → 10\.40\.0\.2 on n2\?\[2J, TCP 80\n\n/);
    match(out, /\nDropped at route: no route\.\n→ set one\n$/);
    ok(!out.includes('\u001b'), 'what comes from elsewhere moves no cursor');
    const question = { source: 'ns/a', target: '10.40.0.2', asked: { protocol: 'TCP', port: 80 } };
    deepEqual(asked, [['/run/weft', { ...question, probes: true }]]);
  });

  it('says that they can talk, and ends well', async () => {
    const verdict = { talk: true, because: 'the target accepts connections there' } as const;
    const { out, ended } = await run({ ...DENIED, verdict }, 'ns/a', '10.40.0.2', '80');
    equal(ended, undefined);
    match(out, /\nThey can talk: the target accepts connections there\.\n$/);
  });

  it('sends nothing where it is told to', async () => {
    const { asked } = await run(DENIED, '--no-probe', 'a', 'b', 'dns');
    deepEqual(asked, [
      ['/run/weft', { source: 'a', target: 'b', asked: { protocol: 'UDP', port: 53 }, probes: false }],
    ]);
  });

  it('asks nobody about what is no port', async () => {
    const { asked, ended } = await run(DENIED, 'a', 'b', '70000');
    equal(asked.length, 0);
    await rejects(Promise.reject(ended), /'70000' is no port/);
  });
});

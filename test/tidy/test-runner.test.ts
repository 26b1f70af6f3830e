import { equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './source.ts';

describe('tools/test', () => {
  let checkout: string;

  /** Runs the unit tests of a checkout that holds the runner, the programs it needs, and `tests` by file name. */
  function run(tests: Readonly<Record<string, string>>): { code: number | null; lastLine: string } {
    for (const [name, text] of Object.entries(tests)) writeFileSync(join(checkout, 'test/unit', name), text);
    const { status, stdout } = spawnSync('bash', [join(checkout, 'tools/test'), 'unit'], {
      encoding: 'utf8',
    });
    return { code: status, lastLine: stdout.trimEnd().split('\n').at(-1)! };
  }

  beforeEach(() => {
    checkout = mkdtempSync(join(tmpdir(), 'weft-runner-'));
    for (const folder of ['tools', 'bin', 'test/unit'])
      mkdirSync(join(checkout, folder), { recursive: true });
    for (const file of ['tools/test', 'bin/weft-node', 'package.json'])
      cpSync(join(ROOT, file), join(checkout, file));
    for (const link of ['node_modules', '.runtime']) symlinkSync(join(ROOT, link), join(checkout, link));
  });

  afterEach(() => rmSync(checkout, { recursive: true }));

  it('passes where a test passes, and counts it', () => {
    const outcome = run({ 'a.test.ts': "it('works', () => {});\n" });
    equal(outcome.lastLine, '1 passed, 0 failed');
    equal(outcome.code, 0);
  });

  it('fails where a folder has no tests', () => {
    const outcome = run({ 'support.ts': 'export const a = 1;\n' });
    match(outcome.lastLine, /^0 passed, [1-9]\d* failed$/);
    equal(outcome.code, 1);
  });

  it('fails where the files of a folder hold no test', () => {
    const outcome = run({ 'a.test.ts': "describe('nothing', () => {});\n" });
    match(outcome.lastLine, /^0 passed, [1-9]\d* failed$/);
    equal(outcome.code, 1);
  });
});

import { equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from './source.ts';

/** Programs that would begin a long run, or write files, if they took no notice of an argument that they do not know. */
const BASH = [
  '.ci/run',
  'tools/setup',
  'tools/lab-build',
  'tools/image-root',
  'tools/test',
  'tools/test-sanitized',
  'tools/fuzz',
  'tools/sanitized',
];
const NODE = ['tools/strip-types.ts', 'tools/counters-doc.ts', 'tools/warnings-doc.ts', 'bench/run.ts'];

describe('the scripts of the project', () => {
  /** An empty checkout, so that a script which begins after all finds nothing to do. */
  let checkout: string;

  before(() => {
    checkout = mkdtempSync(join(tmpdir(), 'weft-arguments-'));
    for (const script of BASH) {
      mkdirSync(join(checkout, dirname(script)), { recursive: true });
      cpSync(join(ROOT, script), join(checkout, script));
    }
  });

  after(() => rmSync(checkout, { recursive: true }));

  for (const script of [...BASH, ...NODE]) {
    it(`${script} refuses an argument that it does not know`, () => {
      const [program, folder] = BASH.includes(script) ? ['bash', checkout] : [process.execPath, ROOT];
      const { status, stderr } = spawnSync(program, [join(folder, script), '--what'], { encoding: 'utf8' });
      match(stderr, /unknown|usage/);
      equal(status, 2);
    });
  }
});

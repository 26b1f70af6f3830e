import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseClusterSecret } from '../../../crypto/cluster-secret.ts';
import { cryptoReady } from '../../../crypto/ready.ts';

const BIN = join(import.meta.dirname, '../../../bin');

describe('bin/weft', () => {
  let folder: string;
  before(() => cryptoReady);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft bin-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs `weft` from an empty environment and a folder far from the checkout. */
  const weft = (args: readonly string[], path = join(BIN, 'weft')) =>
    spawnSync(path, args, { cwd: folder, env: { PATH: process.env.PATH }, encoding: 'utf8' });

  it('finds its checkout through links of links, from any working directory', () => {
    mkdirSync(join(folder, 'sbin'));
    symlinkSync(join(BIN, 'weft'), join(folder, 'first'));
    symlinkSync('../first', join(folder, 'sbin/weft'));
    const { stdout, status } = weft(['--version'], join(folder, 'sbin/weft'));
    equal(status, 0);
    match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('passes on the exit code, and one line where no weftd runs', () => {
    const { stdout, stderr, status } = weft(['status', '--run-dir', folder]);
    equal(status, 3);
    equal(stdout, '');
    equal(
      stderr,
      `weft: no weftd answers on ${folder}/weft.sock; start weftd, or give its run folder with --run-dir\n`,
    );
  });

  it('loads no ciphers and no page to ask the daemon something', () => {
    const hook = `import { registerHooks } from 'node:module';
      registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });`;
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(hook)}`,
      join(BIN, '../cli/weft.ts'),
    ];
    const { stdout } = spawnSync(process.execPath, [...args, 'status', '--run-dir', folder], {
      encoding: 'utf8',
    });
    const loaded = stdout.split('\n');
    ok(
      loaded.some((url) => url.endsWith('/control/control-client.io.ts')),
      stdout,
    );
    deepEqual(
      loaded.filter((url) => /libsodium|weft\.node|\/(ui|why|doctor|connectivity)\/.*io\.ts/.test(url)),
      [],
    );
  });

  it('makes a secret that weftd takes, in a file that only its owner may read, and never overwrites', () => {
    const path = join(folder, 'secret');
    equal(weft(['secret', 'new', '--file', path]).status, 0);
    equal(statSync(path).mode & 0o777, 0o600);
    const text = readFileSync(path, 'utf8');
    equal(parseClusterSecret(text).clusterId.length, 16);
    equal(weft(['secret', 'new', '--file', path]).status, 1);
    equal(readFileSync(path, 'utf8'), text);
    match(weft(['secret', 'new']).stdout, /^\S{43,}\n$/);
  });
});

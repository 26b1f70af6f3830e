import { equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ADDON = join(ROOT, 'native/build/arm64/weft.node');
/** Node.js for arm64, which `tools/setup arm64` brings. */
const NODE = join(ROOT, '.cache/arm64/bin/node');
const EMULATOR = '/usr/bin/qemu-aarch64';
/** Known answers of both ciphers, and what else holds of keys in native memory. */
const TESTS = 'test/unit/native/aead.test.ts';

/** Where the header of an ELF file says for which machine it is, and what stands there for arm64. */
const ELF_MACHINE_AT = 18;
const EM_AARCH64 = 183;

describe('the addon on arm64', function () {
  this.timeout(600_000);

  before(() => {
    const { status, stderr } = spawnSync('make', ['-s', '-j2', '-C', join(ROOT, 'native'), 'arm64'], {
      encoding: 'utf8',
    });
    equal(status, 0, stderr);
  });

  it('is built by a cross compiler', () => {
    equal(readFileSync(ADDON).readUInt16LE(ELF_MACHINE_AT), EM_AARCH64);
  });

  it('gives the known answers in an emulated processor', function () {
    // Only root may lay the addon for arm64 over this machine's, in a mount namespace of its own.
    if (!existsSync(EMULATOR) || !existsSync(NODE) || process.getuid?.() !== 0) this.skip();
    const script = 'mount --bind "$0" native/build/weft.node && exec "$@"';
    const mocha = ['node_modules/mocha/bin/mocha.js', '--timeout', '600000', TESTS];
    const command = [EMULATOR, '-L', '/usr/aarch64-linux-gnu', NODE, ...mocha];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', script, ADDON, ...command],
      { cwd: ROOT, encoding: 'utf8' },
    );
    equal(status, 0, stdout + stderr);
    match(stdout, /aes-256-gcm: gives the known answers/);
    match(stdout, /[1-9]\d* passing/);
  });
});

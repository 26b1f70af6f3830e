import { deepEqual, equal, ok } from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { nativeCipherFault } from '../../../native/aead.ts';

const HOLDER = new URL('./key-holder.ts', import.meta.url).pathname;
const SUITES = (['aes-256-gcm', 'chacha20-poly1305'] as const).filter(
  (suite) => nativeCipherFault(suite) === undefined,
);
const PIECE = 16 << 20;

/** How often `bytes` stands in the memory of a process that may be written. */
function occurrences(pid: number, bytes: Uint8Array): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const piece = Buffer.alloc(PIECE);
  let found = 0;
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
      const [, from, to] = /^([\da-f]+)-([\da-f]+) rw/.exec(line) ?? [];
      if (from === undefined) continue;
      const end = BigInt(`0x${to}`);
      for (let at = BigInt(`0x${from}`); at < end; ) {
        const wanted = Number(end - at > BigInt(PIECE) ? BigInt(PIECE) : end - at);
        let got = 0;
        try {
          got = readSync(memory, piece, 0, wanted, at as unknown as number);
        } catch {
          break; // a page that the kernel gives to nobody
        }
        if (got === 0) break;
        for (let i = piece.indexOf(bytes); i >= 0 && i < got; i = piece.indexOf(bytes, i + 1)) found++;
        at += BigInt(got);
      }
    }
  } finally {
    closeSync(memory);
  }
  return found;
}

describe('keys in the memory of a process', function () {
  this.timeout(120_000);
  let holder: ChildProcess | undefined;
  let folder: string | undefined;

  afterEach(() => {
    holder?.kill('SIGKILL');
    holder = undefined;
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });

  for (const suite of SUITES) {
    it(`are there while a session is, and wiped with it (${suite})`, async () => {
      holder = spawn(process.execPath, [HOLDER, suite], { stdio: ['pipe', 'pipe', 'inherit'] });
      const lines = createInterface(holder.stdout!);
      const key = randomBytes(32);
      holder.stdin!.write(`${key.toString('hex')}\n`);
      deepEqual(await once(lines, 'line'), ['installed']);
      // The schedule of AES begins with the key itself, as ChaCha's state holds it.
      ok(occurrences(holder.pid!, key) > 0, 'it is looked for in the right place');
      holder.stdin!.write('\n');
      deepEqual(await once(lines, 'line'), ['removed']);
      equal(occurrences(holder.pid!, key.subarray(0, 16)), 0);
    });
  }

  it('are in no core file', function () {
    // Where core files go elsewhere it cannot be seen here whether there would have been one.
    if (readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim() !== 'core') this.skip();
    folder = mkdtempSync(join(tmpdir(), 'weft-core-'));
    const crash = (secret: 'kept' | 'open'): string[] => {
      const command = `ulimit -c unlimited; exec "$0" "$@"`;
      const argv = ['-c', command, process.execPath, HOLDER, 'crash', secret];
      equal(spawnSync('bash', argv, { cwd: folder }).signal, 'SIGSEGV');
      return readdirSync(folder!);
    };
    deepEqual(crash('kept'), []);
    equal(crash('open').length, 1, 'there would have been one');
  });
});

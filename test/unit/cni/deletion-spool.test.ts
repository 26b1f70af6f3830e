import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DeletionFolder,
  MAX_SPOOLED_BYTES,
  MAX_SPOOLED_DELETIONS,
  spoolFileName,
} from '../../../cni/deletion-spool.io.ts';
import { parseRequest } from '../../../cni/request.ts';

const WEFT_NET = fileURLToPath(new URL('../../../cni/shim/build/weft-net', import.meta.url));
const key = { containerId: 'abc', ifname: 'eth0' };

describe('DeletionFolder', () => {
  let runDir: string;
  let folder: string;

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'weft-spool-'));
    folder = join(runDir, 'deletions');
  });

  afterEach(() => rmSync(runDir, { recursive: true, force: true }));

  it('has nothing where no folder is', async () => {
    assert.deepEqual(await new DeletionFolder(runDir).pending(), []);
    await new DeletionFolder(runDir).forget(key);
  });

  it('reads what the executable keeps, under the name both of them know', async () => {
    const outcome = spawnSync(WEFT_NET, {
      env: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0', CNI_PATH: '/x' },
      input: JSON.stringify({ cniVersion: '1.0.0', name: 'weft', runDir, note: 'ü "\\\n\u0001' }),
    });
    assert.equal(outcome.status, 0, outcome.stdout.toString());
    const names = await new DeletionFolder(runDir).pending();
    assert.deepEqual(names, [spoolFileName(key)]);
    const request = parseRequest(await new DeletionFolder(runDir).read(names[0]!));
    assert.deepEqual([request.command, request.key], ['DEL', key]);
    await new DeletionFolder(runDir).forget(key);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('answers undefined for a file that cannot be read, and can be rid of it', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.json'), '{');
    writeFileSync(join(folder, 'b.json'), Buffer.alloc(MAX_SPOOLED_BYTES + 1, '7'));
    writeFileSync(join(folder, '.pending'), '{}');
    mkdirSync(join(folder, 'c.json'));
    const spool = new DeletionFolder(runDir);
    assert.deepEqual(await spool.pending(), ['a.json', 'b.json']);
    for (const name of ['a.json', 'b.json', 'gone.json']) {
      assert.equal(await spool.read(name), undefined);
      await spool.discard(name);
    }
    assert.deepEqual(await spool.pending(), []);
  });

  it('follows no link', async () => {
    mkdirSync(folder);
    symlinkSync('/etc/hostname', join(folder, 'link.json'));
    const spool = new DeletionFolder(runDir);
    assert.deepEqual(await spool.pending(), []);
    await assert.rejects(spool.read('link.json'), { code: 'ELOOP' });
  });

  it('reads no more than the executable may write', async () => {
    mkdirSync(folder);
    for (let i = 0; i < MAX_SPOOLED_DELETIONS + 20; i++) writeFileSync(join(folder, `${i}.json`), '{}');
    assert.equal((await new DeletionFolder(runDir).pending()).length, MAX_SPOOLED_DELETIONS);
  });
});

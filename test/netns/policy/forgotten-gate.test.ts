import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Namespace } from '../namespaces.ts';

const PROGRAM = fileURLToPath(new URL('../inside/forgotten-gate.ts', import.meta.url));

describe('a weftd with a gate that made room for another weftd', function () {
  this.timeout(30_000);
  let node: Namespace;
  let folder: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-gate-'));
    node = await Namespace.create('pg');
  });
  afterEach(async () => {
    await node?.delete();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [successor, stands] of [
    ['old', false],
    ['new', true],
    ['without', true],
  ] as const) {
    const what = stands ? 'leaves the gate to' : 'removes the gate for';
    const whom = { old: 'one that knows none', new: 'one that keeps it', without: 'one without --policy' };
    it(`${what} ${whom[successor]}`, async () => {
      assert.deepEqual(await node.program(PROGRAM, folder, successor), { stands, files: stands });
    });
  }
});

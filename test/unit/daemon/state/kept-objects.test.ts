import { deepEqual, equal } from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEPT_FILE, keepObjects, keptObjects } from '../../../../daemon/state/kept-objects.io.ts';

describe('keepObjects', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-kept-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives back what was kept, which only its owner may read, and writes it once', () => {
    const objects = { namespace: 'weft', secret: 'ab'.repeat(32), genesis: 'AAAA' };
    keepObjects(folder, objects);
    deepEqual(keptObjects(folder), objects);
    const { mode, ino } = statSync(join(folder, KEPT_FILE));
    equal(mode & 0o777, 0o600);
    keepObjects(folder, objects);
    equal(statSync(join(folder, KEPT_FILE)).ino, ino);
    keepObjects(folder, { ...objects, genesis: 'BBBB' });
    equal(keptObjects(folder)?.genesis, 'BBBB');
  });

  it('takes nothing from a file that is missing or damaged', () => {
    equal(keptObjects(folder), undefined);
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"secret":"x"}',
      '{"secret":"x","genesis":"y"}',
      '{"namespace":"n","secret":"x","genesis":7}',
    ]) {
      writeFileSync(join(folder, KEPT_FILE), text);
      equal(keptObjects(folder), undefined, text);
    }
  });
});

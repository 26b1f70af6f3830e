import { equal } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { untilVacant } from '../../../daemon/take-over.io.ts';
import { FileLock } from '../../../native/file-lock.ts';

describe('a weftd that stands by', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(`${tmpdir()}/weft-take-over-`);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('waits while its successor hands the folder on, and serves once the next one let it go', async () => {
    const [lock, claim] = [`${folder}/lock`, `${folder}/successor`];
    const successor = FileLock.take(lock)!;
    let vacant = false;
    const seen = untilVacant({ stateDir: folder, runDir: folder }).then(() => {
      vacant = true;
    });
    await delay(50);
    // The standby looks at the same locks, so that a first try may find one held.
    let next = FileLock.take(claim);
    while (next === undefined) next = FileLock.take(claim);
    successor.release();
    await delay(100);
    equal(vacant, false, 'the next one is about to take it');
    let taken = FileLock.take(lock);
    while (taken === undefined) taken = FileLock.take(lock);
    next.release();
    await delay(50);
    equal(vacant, false, 'it has it');
    taken.release();
    await seen;
  });
});

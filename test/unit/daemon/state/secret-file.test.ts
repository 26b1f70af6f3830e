import { equal, match, ok } from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeftError } from '../../../../base/weft-error.ts';
import { readSecretFile } from '../../../../daemon/state/secret-file.io.ts';

describe('readSecretFile', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-secret-'));
    path = join(folder, 'secret');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const fault = (at = path): WeftError => {
    try {
      readSecretFile(at);
    } catch (error) {
      ok(error instanceof WeftError, String(error));
      return error;
    }
    throw new Error('must be refused');
  };

  it('gives the text of a file that only its owner may read', () => {
    writeFileSync(path, 'line\n', { mode: 0o600 });
    equal(readSecretFile(path), 'line\n');
  });

  it('follows a symbolic link and judges what it leads to', () => {
    writeFileSync(path, 'line', { mode: 0o400 });
    symlinkSync(path, `${path}-link`);
    equal(readSecretFile(`${path}-link`), 'line');
    chmodSync(path, 0o644);
    equal(fault(`${path}-link`).code, 'E_SECRET_MODE');
  });

  for (const mode of [0o640, 0o604, 0o620, 0o601]) {
    it(`refuses mode ${mode.toString(8)} and says how to mend it`, () => {
      writeFileSync(path, 'top secret');
      chmodSync(path, mode);
      const error = fault();
      equal(error.code, 'E_SECRET_MODE');
      match(error.line, new RegExp(`mode 0${mode.toString(8)}.*chmod 600`));
      ok(!error.line.includes('top secret'));
    });
  }

  it('says how to get a file that is missing', () => {
    const error = fault();
    equal(error.code, 'E_SECRET_MISSING');
    match(error.line, /weft secret new --file/);
  });

  it('refuses a folder, an endless file and bytes that are no text', () => {
    equal(fault(folder).code, 'E_SECRET_UNREADABLE');
    writeFileSync(path, 'a'.repeat(4097), { mode: 0o600 });
    equal(fault().code, 'E_SECRET_UNREADABLE');
    writeFileSync(path, new Uint8Array([0xff, 0xfe]));
    equal(fault().code, 'E_SECRET_UNREADABLE');
  });
});

import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '../../../base/bytes.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { loadConfig } from '../../../daemon/settings/config.io.ts';
import { createFile, fileFault, replaceFile } from '../../../host/durable-file.io.ts';

describe('files of weftd', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-file-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function codeOf(run: () => void): string {
    try {
      run();
    } catch (error) {
      ok(error instanceof WeftError, String(error));
      return error.code;
    }
    return 'none';
  }

  describe('replaceFile', () => {
    it('writes, replaces, and leaves nothing else behind', () => {
      const path = join(folder, 'a');
      replaceFile(path, utf8('one'));
      replaceFile(path, new Uint8Array(100_000).fill(65));
      equal(readFileSync(path, 'utf8'), 'A'.repeat(100_000));
      equal(statSync(path).mode & 0o777, 0o600);
      deepEqual(readdirSync(folder), ['a']);
    });

    it('gets past what a crash left', () => {
      writeFileSync(join(folder, 'a.weft-new'), 'half');
      replaceFile(join(folder, 'a'), utf8('whole'));
      deepEqual(readdirSync(folder), ['a']);
      equal(readFileSync(join(folder, 'a'), 'utf8'), 'whole');
    });

    it('fails without a trace where it cannot write', () => {
      equal(
        codeOf(() => replaceFile(join(folder, 'none/a'), utf8('x'))),
        'E_WRITE',
      );
      mkdirSync(join(folder, 'a'));
      equal(
        codeOf(() => replaceFile(join(folder, 'a'), utf8('x'))),
        'E_WRITE',
      );
      deepEqual(readdirSync(folder), ['a']);
    });
  });

  describe('createFile', () => {
    it('never touches a file that is there', () => {
      const path = join(folder, 'a');
      createFile(path, utf8('one'));
      equal(
        codeOf(() => createFile(path, utf8('two'))),
        'E_EXISTS',
      );
      equal(readFileSync(path, 'utf8'), 'one');
      equal(statSync(path).mode & 0o777, 0o600);
      deepEqual(readdirSync(folder), ['a']);
    });
  });

  describe('fileFault', () => {
    it('knows a full disk and a full quota by whatever call met it', () => {
      for (const code of ['ENOSPC', 'EDQUOT']) {
        equal(
          fileFault('/a', 'cannot be written', Object.assign(new Error(''), { code })).code,
          'E_DISK_FULL',
        );
      }
    });
  });

  describe('loadConfig', () => {
    const faultsOf = (path: string): string => {
      const intent = loadConfig(['--secret-file', '/s', '--config', path], {});
      return intent.action === 'refuse' ? intent.faults.map((fault) => fault.line).join('\n') : intent.action;
    };

    it('reads the file that is asked for', () => {
      const path = join(folder, 'weft.json');
      writeFileSync(path, '{"name": "from-file"}');
      const intent = loadConfig(['--secret-file', '/s'], { WEFT_CONFIG: path });
      equal(intent.action === 'run' && intent.config.name, 'from-file');
    });

    it('reports one that is missing, no file, or too large', () => {
      equal(
        faultsOf('/none/weft.json'),
        'config file /none/weft.json does not exist; give another with --config',
      );
      equal(faultsOf(folder), `config file ${folder} is not a file; give another with --config`);
      const path = join(folder, 'large');
      writeFileSync(path, ' '.repeat(65_537));
      equal(faultsOf(path), `config file ${path} is larger than 65536 bytes; give another with --config`);
    });
  });
});

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SqliteStore } from '../../../ipam/sqlite-store.io.ts';

describe('the store on SQLite', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-store-'));
    path = join(folder, 'weft.db');
    SqliteStore.create(path);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps what was flushed, and forgets what was not', () => {
    const store = SqliteStore.open(path);
    store.put('a/1', Uint8Array.of(1));
    store.put('a/2', Uint8Array.of(2));
    store.flush();
    store.remove('a/1');
    store.put('b', Uint8Array.of(3));
    assert.deepEqual(
      [...store.entries('')].map(([key]) => key),
      ['a/2', 'b'],
    );
    store.close();
    const again = SqliteStore.open(path);
    assert.deepEqual(
      [...again.entries('a/')],
      [
        ['a/1', Uint8Array.of(1)],
        ['a/2', Uint8Array.of(2)],
      ],
    );
    assert.equal(again.get('b'), undefined);
    again.remove('a/1');
    again.put('a/2', Uint8Array.of(9));
    again.flush();
    again.close();
    const third = SqliteStore.open(path);
    assert.deepEqual([...third.entries('')], [['a/2', Uint8Array.of(9)]]);
    third.close();
  });

  it('is used by one process at a time', () => {
    const store = SqliteStore.open(path);
    assert.throws(() => SqliteStore.open(path), { code: 'E_STORE_LOCKED' });
    store.close();
  });

  it("refuses what is no database, another program's database, and one of a newer version", () => {
    writeFileSync(path, 'this is not a database, it is a text that is long enough to be read as a header');
    assert.throws(() => SqliteStore.open(path), { code: 'E_STORE_CORRUPT' });
    rmSync(path);
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE theirs (x)');
    other.close();
    assert.throws(() => SqliteStore.open(path), { code: 'E_STORE_CORRUPT' });
    rmSync(path);
    SqliteStore.create(path);
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    assert.throws(() => SqliteStore.open(path), { code: 'E_STORE_NEWER' });
  });

  it('writes all of a batch or nothing when the disk is full', () => {
    const store = SqliteStore.open(path);
    store.put('before', Uint8Array.of(1));
    store.flush();
    store.limitPages(8);
    store.put('small', Uint8Array.of(1));
    store.put('large', new Uint8Array(200_000));
    assert.throws(() => store.flush(), { code: 'E_DISK_FULL' });
    store.close();
    const again = SqliteStore.open(path);
    assert.deepEqual(
      [...again.entries('')].map(([key]) => key),
      ['before'],
    );
    again.close();
  });

  it('says where a folder is missing', () => {
    assert.throws(() => SqliteStore.create(join(folder, 'missing', 'weft.db')), { code: 'E_STORE' });
  });

  it('makes no new store in place of one that is gone or empty', () => {
    const gone = join(folder, 'gone.db');
    assert.throws(() => SqliteStore.open(gone), { code: 'E_STORE_CORRUPT' });
    assert.equal(existsSync(gone), false);
    writeFileSync(path, '');
    assert.throws(() => SqliteStore.open(path), { code: 'E_STORE_CORRUPT' });
  });

  it('finishes a making that was cut short', () => {
    rmSync(path);
    writeFileSync(path, '');
    SqliteStore.create(path);
    SqliteStore.create(path);
    const store = SqliteStore.open(path);
    assert.deepEqual([...store.entries('')], []);
    store.close();
  });
});

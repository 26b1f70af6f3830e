import { existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { WeftError } from '../base/weft-error.ts';
import type { IpamStore } from './model/store.ts';

/** Of the file's tables. A higher one was written by a newer program: refused. */
const SCHEMA_VERSION = 1;
/** "WEFT", in SQLite's header: tells our file from any other database. */
const APPLICATION_ID = 0x57454654;

/**
 * The store in a SQLite file (WAL, synchronous=FULL: a commit is on disk when it returns). Writes are staged in
 * memory and go out in one transaction per {@link flush}, so a flush is all or nothing.
 *
 * Opening throws a WeftError: E_STORE_CORRUPT, E_STORE_NEWER, E_STORE_LOCKED, E_DISK_FULL, E_STORE.
 */
export class SqliteStore implements IpamStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #valueByKey = new Map<string, Uint8Array>();
  readonly #staged = new Map<string, Uint8Array | undefined>();

  /** Makes an empty store at `path`, a file in an existing folder of our own. It is on disk when this returns. */
  static create(path: string): void {
    new SqliteStore(path, { make: true }).close();
  }

  /** Opens a store that was made before. One that is missing or holds no tables has lost them: E_STORE_CORRUPT. */
  static open(path: string): SqliteStore {
    if (!existsSync(path)) throw corrupt(path);
    return new SqliteStore(path, { make: false });
  }

  private constructor(path: string, { make }: { readonly make: boolean }) {
    this.#path = path;
    try {
      this.#database = new DatabaseSync(path, { timeout: 0 });
    } catch (cause) {
      throw storeError(path, cause);
    }
    try {
      this.#prepareFile(make);
      this.#put = this.#database.prepare(
        'INSERT INTO entry (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      );
      this.#remove = this.#database.prepare('DELETE FROM entry WHERE key = ?');
      for (const row of this.#database.prepare('SELECT key, value FROM entry').iterate())
        this.#valueByKey.set(String(row.key), Uint8Array.from(row.value as Uint8Array));
    } catch (cause) {
      this.#database.close();
      throw storeError(path, cause);
    }
  }

  get(key: string): Uint8Array | undefined {
    return this.#valueByKey.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.#valueByKey.set(key, value);
    this.#staged.set(key, value);
  }

  remove(key: string): void {
    if (this.#valueByKey.delete(key)) this.#staged.set(key, undefined);
  }

  *entries(prefix: string): Iterable<readonly [string, Uint8Array]> {
    const keys = [...this.#valueByKey.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys) yield [key, this.#valueByKey.get(key)!];
  }

  flush(): void {
    if (this.#staged.size === 0) return;
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const [key, value] of this.#staged) {
        if (value === undefined) this.#remove.run(key);
        else this.#put.run(key, value);
      }
      this.#database.exec('COMMIT');
    } catch (cause) {
      this.#rollBack();
      throw storeError(this.#path, cause);
    }
    this.#staged.clear();
  }

  /** The file may not grow beyond so many pages of 4 KiB from now on: stands in for a full disk in tests. */
  limitPages(count: number): void {
    this.#database.exec(`PRAGMA max_page_count = ${Math.floor(count)}`);
  }

  /** Closes the file. What was staged and not flushed is lost. */
  close(): void {
    this.#database.close();
  }

  #prepareFile(make: boolean): void {
    const database = this.#database;
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    const integrity = database.prepare('PRAGMA quick_check(1)').get();
    if (integrity?.quick_check !== 'ok') throw corrupt(this.#path);
    const pragma = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
    const version = pragma('user_version');
    const application = pragma('application_id');
    const tables = Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
    if (application !== APPLICATION_ID && (application !== 0 || tables > 0)) throw corrupt(this.#path);
    if (version > SCHEMA_VERSION)
      throw new WeftError(
        'E_STORE_NEWER',
        `${this.#path} was written by a newer version of weftd`,
        'start that version, or a newer one',
      );
    if (version === SCHEMA_VERSION) return;
    if (!make) throw corrupt(this.#path);
    database.exec(`
      BEGIN IMMEDIATE;
      CREATE TABLE entry (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${SCHEMA_VERSION};
      COMMIT;
    `);
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself; the fault that matters is thrown by the caller.
    }
  }
}

function corrupt(path: string): WeftError {
  return new WeftError(
    'E_STORE_CORRUPT',
    `${path} is damaged, lost or not a weft database`,
    'remove the state folder and `weft rmpeer` this node from another; a backup of it must not be used',
  );
}

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
function storeError(path: string, cause: unknown): WeftError {
  if (cause instanceof WeftError) return cause;
  const code = Number((cause as { readonly errcode?: unknown }).errcode) & 0xff;
  const text = cause instanceof Error ? cause.message : String(cause);
  switch (code) {
    case 13:
      return new WeftError(
        'E_DISK_FULL',
        `no space left to write ${path}`,
        'free some space and start weftd again',
        {
          cause,
        },
      );
    case 5:
    case 6:
      return new WeftError('E_STORE_LOCKED', `${path} is in use by another process`, 'stop the other weftd', {
        cause,
      });
    case 11:
    case 26: {
      const error = corrupt(path);
      return new WeftError(error.code, error.message, error.remedy, { cause });
    }
    default:
      return new WeftError(
        'E_STORE',
        `${path} cannot be read or written (${text})`,
        'check the disk and permissions',
        {
          cause,
        },
      );
  }
}

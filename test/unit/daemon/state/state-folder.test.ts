import { deepEqual, equal, match, notEqual, ok, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeftError } from '../../../../base/weft-error.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { isUnused } from '../../../../daemon/parts/state.io.ts';
import { openStateFolder, type StateFolderOptions } from '../../../../daemon/state/state-folder.io.ts';
import { SqliteStore } from '../../../../ipam/sqlite-store.io.ts';
import { FileLock } from '../../../../native/file-lock.ts';
import { seededRandom } from '../../../seeded-random.ts';

function options(clusterByte = 1): StateFolderOptions {
  return {
    clusterId: new Uint8Array(16).fill(clusterByte),
    random: seededRandom(1),
    makeDatabase: (path) => writeFileSync(path, 'tables', { mode: 0o600 }),
    isUnused,
  };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    ok(error instanceof WeftError, String(error));
    ok(!error.line.includes('\n'));
    return error.code;
  }
  return 'none';
}

describe('openStateFolder', () => {
  before(() => cryptoReady);
  let parent: string;
  let path: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'weft-state-'));
    path = join(parent, 'state');
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  const open = (clusterByte = 1) => {
    const folder = openStateFolder(path, options(clusterByte));
    folder.close();
    return folder;
  };
  const content = (name: string) => readFileSync(join(path, name), 'utf8');

  it('makes the folder 0700 and its files 0600 on the first start', () => {
    const folder = open();
    equal(statSync(path).mode & 0o777, 0o700);
    deepEqual(readdirSync(path).sort(), ['cluster', 'epoch', 'identity', 'lock', 'version', 'weft.db']);
    for (const name of readdirSync(path)) equal(statSync(join(path, name)).mode & 0o777, 0o600, name);
    equal(folder.epoch, 1);
    equal(folder.databasePath, join(path, 'weft.db'));
    equal(folder.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  });

  it('keeps the identity and raises the epoch, on disk, with every start', () => {
    const first = open();
    const later = openStateFolder(path, { ...options(), random: { bytes: fail } });
    equal(later.epoch, 2);
    equal(content('epoch'), '2\n');
    deepEqual(first.identity, later.identity);
    later.close();
    equal(open().epoch, 3);
  });

  it('counts a start even when an earlier start was killed at any moment', () => {
    open();
    writeFileSync(join(path, 'epoch.weft-new'), '2');
    equal(open().epoch, 2);
    ok(!existsSync(join(path, 'epoch.weft-new')));
  });

  it('starts over in a folder whose making was cut short', () => {
    mkdirSync(path, { mode: 0o700 });
    for (const name of ['lock', 'cluster', 'epoch'])
      writeFileSync(join(path, name), name === 'epoch' ? '0\n' : '');
    writeFileSync(join(path, 'identity.weft-new'), 'half');
    const folder = open();
    equal(folder.epoch, 1);
    equal(folder.identity.peer.length, 64);
  });

  it('refuses a second weftd with the first one named', () => {
    const held = openStateFolder(path, options());
    try {
      openStateFolder(path, options());
      ok(false, 'must throw');
    } catch (error) {
      ok(error instanceof WeftError);
      equal(error.code, 'E_STATE_LOCKED');
      match(error.line, new RegExp(`another weftd, process ${process.pid}, runs`));
    }
    equal(content('epoch'), '1\n', 'the start that was refused does not count');
    held.close();
  });

  it('leaves a folder alone that another weftd is making at the moment', () => {
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, 'cluster'), 'not ours');
    const held = FileLock.take(join(path, 'lock'))!;
    equal(codeOf(open), 'E_STATE_LOCKED');
    held.release();
    equal(content('cluster'), 'not ours');
  });

  it('refuses the folder of another cluster', () => {
    open();
    equal(
      codeOf(() => open(2)),
      'E_STATE_CLUSTER',
    );
    equal(content('epoch'), '1\n');
    equal(open().epoch, 2);
  });

  /** What the database of that folder holds. */
  const put = (databasePath: string, ...keys: readonly string[]): void => {
    rmSync(databasePath);
    SqliteStore.create(databasePath);
    const store = SqliteStore.open(databasePath);
    for (const key of keys) store.put(key, new Uint8Array(1));
    store.flush();
    store.close();
  };

  it('makes the folder anew for another cluster where the node never had a part in a ring', () => {
    const { databasePath } = open();
    equal(open().epoch, 2);
    put(databasePath, 'record/a/node', 'decree/b');
    writeFileSync(join(path, 'kubernetes.json'), '{}');
    equal(open(2).epoch, 1);
    equal(content('cluster'), `${'02'.repeat(16)}\n`);
    deepEqual(readdirSync(path).sort(), ['cluster', 'epoch', 'identity', 'lock', 'version', 'weft.db']);
    equal(content('weft.db'), 'tables');
  });

  for (const key of ['log', 'paxos/row', 'removal/promise/x', 'anything']) {
    it(`refuses the folder of another cluster where its database holds '${key}'`, () => {
      const { databasePath, identity } = open();
      put(databasePath, 'record/a/node', key);
      equal(
        codeOf(() => open(2)),
        'E_STATE_CLUSTER',
      );
      equal(open().identity.peer, identity.peer);
    });
  }

  it('refuses the folder of another cluster where its database is damaged', () => {
    const { databasePath } = open();
    writeFileSync(databasePath, 'no database');
    equal(
      codeOf(() => open(2)),
      'E_STATE_CLUSTER',
    );
    equal(readFileSync(databasePath, 'utf8'), 'no database');
  });

  it('refuses the folder of a newer version', () => {
    open();
    writeFileSync(join(path, 'version'), '2\n');
    equal(
      codeOf(() => open()),
      'E_STATE_NEWER',
    );
    equal(content('epoch'), '1\n');
  });

  for (const name of ['cluster', 'epoch', 'identity']) {
    it(`refuses a folder that lost its ${name}`, () => {
      open();
      rmSync(join(path, name));
      equal(
        codeOf(() => open()),
        'E_STATE_BROKEN',
      );
      ok(!existsSync(join(path, name)));
    });
    it(`refuses a folder whose ${name} is damaged`, () => {
      open();
      for (const damaged of ['', 'x', '-1', '9'.repeat(16), '\0'.repeat(32)]) {
        writeFileSync(join(path, name), damaged);
        equal(
          codeOf(() => open()),
          'E_STATE_BROKEN',
          damaged,
        );
      }
    });
  }

  it('refuses a folder whose database is gone or empty: its addresses are in use already', () => {
    open();
    const database = join(path, 'weft.db');
    rmSync(database);
    equal(codeOf(open), 'E_STATE_BROKEN');
    ok(!existsSync(database));
    writeFileSync(database, '');
    equal(codeOf(open), 'E_STATE_BROKEN');
    equal(content('epoch'), '1\n', 'the start that was refused does not count');
  });

  it('refuses a folder that lost its version, rather than making a new node of it', () => {
    open();
    rmSync(join(path, 'version'));
    equal(
      codeOf(() => open()),
      'E_STATE_FOREIGN',
    );
    equal(content('epoch'), '1\n');
  });

  it("refuses somebody else's folder and does not touch it", () => {
    mkdirSync(path, { mode: 0o755 });
    writeFileSync(join(path, 'passwd'), 'x');
    equal(
      codeOf(() => open()),
      'E_STATE_FOREIGN',
    );
    deepEqual(readdirSync(path), ['passwd']);
    equal(statSync(path).mode & 0o777, 0o755);
  });

  it('closes a folder of its own that others may read, refuses one that others may write', () => {
    open();
    chmodSync(path, 0o755);
    open();
    equal(statSync(path).mode & 0o777, 0o700);
    chmodSync(path, 0o770);
    equal(
      codeOf(() => open()),
      'E_STATE_MODE',
    );
  });

  it('refuses keys that others may read', () => {
    open();
    chmodSync(join(path, 'identity'), 0o640);
    equal(
      codeOf(() => open()),
      'E_STATE_MODE',
    );
  });

  it('refuses a path that is a file', () => {
    writeFileSync(path, '');
    equal(
      codeOf(() => open()),
      'E_STATE_WRITE',
    );
  });

  it('takes everything back when a folder cannot be finished, the lock too', () => {
    throws(() => openStateFolder(path, { ...options(), random: { bytes: fail } }));
    deepEqual(readdirSync(path), ['lock']);
    equal(open().epoch, 1);
  });

  it("becomes a new node's once it is retired, also where that was broken off halfway", () => {
    const first = open();
    writeFileSync(join(path, 'weft.db'), 'allocations');
    first.retire();
    first.close();
    // A crash after the database and the keys have gone.
    rmSync(join(path, 'weft.db'));
    rmSync(join(path, 'identity'));
    const second = openStateFolder(path, { ...options(), random: seededRandom(99) });
    notEqual(second.identity.peer, first.identity.peer);
    equal(second.epoch, 1);
    deepEqual(readdirSync(path).sort(), ['cluster', 'epoch', 'identity', 'lock', 'version', 'weft.db']);
    second.close();
    equal(open().identity.peer, second.identity.peer);
  });

  it('counts a start on a full disk too, and makes no new folder there', function () {
    if (process.geteuid?.() !== 0) this.skip();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32k,mode=0700', 'tmpfs', parent], { stdio: 'pipe' });
    } catch {
      this.skip(); // no CAP_SYS_ADMIN in this container
    }
    try {
      open();
      const filler = join(parent, 'filler');
      throws(() => writeFileSync(filler, new Uint8Array(65_536)), { code: 'ENOSPC' });
      const before = readdirSync(path).sort();
      for (let epoch = 2; epoch <= 12; epoch++) {
        equal(open().epoch, epoch);
        equal(content('epoch'), `${epoch}\n`);
      }
      const held = openStateFolder(path, options());
      held.rehearseStart();
      held.raiseEpoch(100);
      held.close();
      deepEqual(readdirSync(path).sort(), before);
      const other = join(parent, 'other');
      equal(
        codeOf(() => openStateFolder(other, options())),
        'E_DISK_FULL',
      );
      deepEqual(readdirSync(other), ['lock']);
      rmSync(filler);
      equal(open().epoch, 101);
    } finally {
      execFileSync('umount', [parent]);
    }
  });
});

function fail(): never {
  throw new Error('no new identity may be made here');
}

import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { equalBytes, fromHex, hex, plainBytes, utf8 } from '../../base/bytes.ts';
import type { RandomSource } from '../../base/random.ts';
import { WeftError } from '../../base/weft-error.ts';
import { decodeIdentity, encodeIdentity, generateIdentity, type Identity } from '../../crypto/identity.ts';
import { fileFault, overwriteFile, replaceFile, TEMPORARY_SUFFIX } from '../../host/durable-file.io.ts';
import { FileLock } from '../../native/file-lock.ts';
import { KEPT_FILE } from './kept-objects.io.ts';

/**
 * The folder in which a node keeps who it is. Mode 0700; within:
 *
 *   lock       held as long as a weftd runs on the folder; its text is that process's id
 *   cluster    hex of the cluster id that the secret gave
 *   epoch      decimal: how many times a weftd has started on this folder. The one file that each start writes
 *   identity   the node's private keys, 0600
 *   version    "1": the format of all this. Written last when the folder is made: a folder without this
 *              file was never in use and may be made anew
 *   weft.db    SQLite: allocations, ring, records of peers. Made with the folder, and never again: a node whose
 *              allocations are gone must not deal out its addresses a second time
 *   kubernetes.json
 *              only on Kubernetes: what the node would put back into the API (kept-objects.io.ts), 0600
 *   retired    only where the node that this was must not run again: all of the above goes at the next start
 *
 * A folder of another cluster is refused, unless the node never had a part in a ring: then it becomes a new node's.
 * A folder that lost one of its files is refused, never completed: a node that forgot its epoch would repeat
 * itself, and one that forgot its keys is another node.
 */
const STATE_VERSION = 1;

export interface StateFolder {
  readonly identity: Identity;
  /** Boot epoch: rises with every start, on disk before this is returned. At least 1. */
  readonly epoch: number;
  /** The kernel's id of this boot: another one means that all pods are gone. */
  readonly bootId: string;
  /** Path of the SQLite database. */
  readonly databasePath: string;
  /** Counts as if `epoch` had been this start, on disk before it returns. Lower than ours: nothing. */
  raiseEpoch(epoch: number): void;
  /** Writes what a start writes, with the epoch as it is. Throws E_DISK_FULL, E_WRITE where the next one would fail. */
  rehearseStart(): void;
  /** Paths of the files of a start that are not what they were when it was opened: somebody removed or replaced them. */
  lost(): string[];
  /** At the next start the folder becomes a new node's, with keys and allocations of its own; on disk when it returns. */
  retire(): void;
  /** Lets another weftd take the folder. The kernel does it too when the process ends, however it ends. */
  close(): void;
}

export interface StateFolderOptions {
  readonly clusterId: Uint8Array;
  /** For the keys of a new node. */
  readonly random: RandomSource;
  /** Makes the database of a new node at a path, complete and on disk when it returns. */
  readonly makeDatabase: (path: string) => void;
  /** The database at that path is of a node that never had a part in a ring. Without it none is. */
  readonly isUnused?: (databasePath: string) => boolean;
}

/**
 * Opens the folder, making it on the first start, and counts the start. Needs `cryptoReady`.
 *
 * Throws E_STATE_LOCKED (a second weftd), E_STATE_NEWER, E_STATE_CLUSTER, E_STATE_MODE (open to others),
 * E_STATE_FOREIGN (somebody else's folder), E_STATE_BROKEN (something lost), E_DISK_FULL, E_STATE_WRITE,
 * E_LOCK. What the folder held is then as it was; one that was to be made holds nothing but the lock file.
 */
export function openStateFolder(path: string, options: StateFolderOptions): StateFolder {
  makeFolder(path);
  checkFolder(path);
  const lock = takeLock(path);
  try {
    if (readSmall(path, 'retired') !== undefined || isAnothersUnused(path, options)) empty(path);
    if (readSmall(path, 'version') === undefined) fill(path, options);
    const state = read(path, options);
    writeEpoch(path, state.epoch);
    let highest = state.epoch;
    const inodes = inodesOf(path);
    return {
      ...state,
      databasePath: `${path}/${DATABASE}`,
      raiseEpoch(epoch) {
        if (epoch <= highest) return;
        writeEpoch(path, epoch);
        highest = epoch;
      },
      rehearseStart: () => writeEpoch(path, highest),
      lost: () => {
        const now = inodesOf(path);
        return KEPT_FOR_LIFE.filter((name) => now.get(name) !== inodes.get(name)).map(
          (name) => `${path}/${name}`,
        );
      },
      retire: () => replaceFile(`${path}/retired`, utf8(`${state.identity.peer}\n`)),
      close: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Whether a weftd holds the folder. */
export function isLocked(path: string): boolean {
  return FileLock.isHeld(`${path}/lock`);
}

/**
 * The epoch only rises, so its text never gets shorter, and it lies within one sector: on a full disk it can be written
 * where it stands. A start then needs no room, and the pods of the node keep their network.
 */
function writeEpoch(path: string, epoch: number): void {
  const content = utf8(`${epoch}\n`);
  try {
    replaceFile(`${path}/epoch`, content);
  } catch (error) {
    if (!(error instanceof WeftError) || error.code !== 'E_DISK_FULL') throw error;
    overwriteFile(`${path}/epoch`, content);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      const remedy = 'remove it, or give another --state-dir';
      throw new WeftError('E_STATE_WRITE', `state folder ${path} is a file`, remedy, { cause });
    }
    throw fileFault(`state folder ${path}`, 'cannot be made', cause, 'E_STATE_WRITE');
  }
}

function inodesOf(path: string): Map<string, number | undefined> {
  return new Map(
    KEPT_FOR_LIFE.map((name) => [name, statSync(`${path}/${name}`, { throwIfNoEntry: false })?.ino]),
  );
}

/** Judges the folder before anything in it is touched. */
function checkFolder(path: string): void {
  const stat = statSync(path);
  if (stat.uid !== process.geteuid?.()) {
    throw modeFault(
      path,
      `belongs to user ${stat.uid}`,
      'run weftd as that user, or give another --state-dir',
    );
  }
  const names = new Set(listFolder(path));
  if (!names.has('version')) {
    const strange = [...names].find((name) => !MADE_BEFORE_VERSION.has(name.replace(TEMPORARY_SUFFIX, '')));
    const ran = names.has('epoch') && readSmall(path, 'epoch') !== '0';
    if (strange !== undefined || ran) {
      const message = `state folder ${path} has no version file, but holds '${strange ?? 'epoch'}'`;
      throw new WeftError('E_STATE_FOREIGN', message, 'give a new or empty folder with --state-dir');
    }
  }
  if ((stat.mode & 0o022) !== 0) {
    throw modeFault(path, 'can be written by others', `see what is in it, then run 'chmod 700 ${path}'`);
  }
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

const DATABASE = 'weft.db';
/** Files that stay what they were for as long as the folder lives; the others are replaced, or come and go. */
const KEPT_FOR_LIFE = [DATABASE, 'identity', 'cluster', 'version', 'lock'];
const DATABASE_FILES = [DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`, `${DATABASE}-journal`];
const MADE_BEFORE_VERSION = new Set([
  ...['lock', 'cluster', 'epoch', 'identity', 'version', 'retired'],
  ...DATABASE_FILES,
]);

function takeLock(path: string): FileLock {
  const lock = FileLock.take(`${path}/lock`);
  if (lock) {
    noteHolder(path);
    return lock;
  }
  const holder = readSmall(path, 'lock') ?? '';
  const pid = /^\d+$/.test(holder) ? `, process ${holder},` : '';
  const remedy = 'stop it first, or give each weftd a --state-dir of its own';
  throw new WeftError('E_STATE_LOCKED', `another weftd${pid} runs on state folder ${path}`, remedy);
}

/** Only a message reads it, so that a full disk is no reason not to start. */
function noteHolder(path: string): void {
  try {
    writeFileSync(`${path}/lock`, `${process.pid}\n`);
  } catch {
    // Whoever is refused because of us then does not learn our id.
  }
}

/** Removes what a retired node left. The mark is removed last: after a crash on the way the next start begins again. */
function empty(path: string): void {
  remove(path, [KEPT_FILE, ...DATABASE_FILES, 'identity', 'epoch', 'cluster', 'version', 'retired']);
}

/**
 * Made for another secret by a node that never had a part in a ring, so that nothing is lost with it. That is what
 * remains where a node was first given a wrong secret.
 */
function isAnothersUnused(path: string, options: StateFolderOptions): boolean {
  if (readSmall(path, 'version') !== `${STATE_VERSION}`) return false;
  const cluster = fromHex(readSmall(path, 'cluster') ?? '');
  if (cluster?.length !== options.clusterId.length || equalBytes(cluster, options.clusterId)) return false;
  const database = `${path}/weft.db`;
  // Where the database is missing it may be lost, and what it held nobody knows.
  return existsSync(database) && options.isUnused?.(database) === true;
}

/** Makes what a new folder holds; takes it back where that cannot be finished. */
function fill(path: string, options: StateFolderOptions): void {
  try {
    // What is left of a making that was cut short.
    remove(path, DATABASE_FILES);
    replaceFile(`${path}/cluster`, utf8(`${hex(options.clusterId)}\n`));
    replaceFile(`${path}/epoch`, utf8('0\n'));
    replaceFile(`${path}/identity`, encodeIdentity(generateIdentity(options.random)));
    options.makeDatabase(`${path}/${DATABASE}`);
    replaceFile(`${path}/version`, utf8(`${STATE_VERSION}\n`));
  } catch (error) {
    // The lock file stays: a lock on a name that changes hands guards nothing.
    remove(path, [...DATABASE_FILES, 'identity', 'epoch', 'cluster']);
    throw error;
  }
}

function remove(path: string, names: readonly string[]): void {
  for (const name of names) rmSync(`${path}/${name}`, { force: true });
}

function read(path: string, options: StateFolderOptions): Pick<StateFolder, 'identity' | 'epoch' | 'bootId'> {
  const version = Number(readSmall(path, 'version'));
  if (version > STATE_VERSION) {
    const message = `state folder ${path} is of format ${version}, this weftd knows ${STATE_VERSION}`;
    throw new WeftError('E_STATE_NEWER', message, 'install the newer weft again');
  }
  if (version !== STATE_VERSION) throw broken(path, 'version');
  const cluster = fromHex(readSmall(path, 'cluster') ?? '');
  if (cluster?.length !== options.clusterId.length) throw broken(path, 'cluster');
  if (!equalBytes(cluster, options.clusterId)) {
    const ids = `${hex(cluster).slice(0, 8)}…, the secret is of ${hex(options.clusterId).slice(0, 8)}…`;
    const remedy = "give that cluster's secret, or another --state-dir for a node of this one";
    throw new WeftError('E_STATE_CLUSTER', `state folder ${path} is of cluster ${ids}`, remedy);
  }
  const epochText = readSmall(path, 'epoch') ?? '';
  const epoch = Number(epochText) + 1;
  if (!/^\d{1,16}$/.test(epochText) || epoch >= Number.MAX_SAFE_INTEGER) throw broken(path, 'epoch');
  const identity = readIdentity(path);
  if ((statSync(`${path}/${DATABASE}`, { throwIfNoEntry: false })?.size ?? 0) === 0)
    throw broken(path, DATABASE);
  return { identity, epoch, bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() };
}

function readIdentity(path: string): Identity {
  let file: number;
  try {
    file = openSync(`${path}/identity`, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw broken(path, 'identity', cause);
  }
  try {
    if ((fstatSync(file).mode & 0o077) !== 0) {
      const remedy = `if nobody can have read it, run 'chmod 600 ${path}/identity', else remove the folder to become a new node`;
      throw modeFault(`${path}/identity`, "holds this node's private keys and is open to others", remedy);
    }
    const bytes = plainBytes(readFileSync(file));
    try {
      return decodeIdentity(bytes);
    } catch (cause) {
      throw cause instanceof WeftError && cause.code === 'E_IDENTITY_BROKEN'
        ? broken(path, 'identity', cause)
        : cause;
    } finally {
      bytes.fill(0);
    }
  } finally {
    closeSync(file);
  }
}

/** The text of a small file without its line end; undefined where there is none. */
function readSmall(path: string, name: string): string | undefined {
  try {
    return readFileSync(`${path}/${name}`, 'utf8').slice(0, 256).trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileFault(`${path}/${name}`, 'cannot be read', cause, 'E_STATE_BROKEN');
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (cause) {
    throw fileFault(`state folder ${path}`, 'cannot be read', cause, 'E_STATE_WRITE');
  }
}

function broken(path: string, name: string, cause?: unknown): WeftError {
  const remedy =
    "move the folder away to start as a new node, and 'weft rmpeer' the old one from another node";
  return new WeftError('E_STATE_BROKEN', `state folder ${path} has lost or damaged '${name}'`, remedy, {
    cause,
  });
}

function modeFault(path: string, problem: string, remedy: string): WeftError {
  return new WeftError('E_STATE_MODE', `${path} ${problem}`, remedy);
}

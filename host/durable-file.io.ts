import { closeSync, constants, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { WeftError } from '../base/weft-error.ts';

/**
 * Replaces the file at `path` so that after a crash at any moment it holds either the old content or the new one:
 * a temporary file beside it is written and synced, renamed over it, and the folder is synced. Mode 0600.
 * Throws E_DISK_FULL or E_WRITE; the old content is then untouched and nothing new lies about.
 */
export function replaceFile(path: string, content: Uint8Array): void {
  writeThrough(path, content, (temporary) => renameSync(temporary, path));
}

/** As {@link replaceFile}, but throws E_EXISTS where there is a file already: that one is never touched. */
export function createFile(path: string, content: Uint8Array): void {
  writeThrough(path, content, (temporary) => {
    linkSync(temporary, path);
    rmSync(temporary);
  });
}

/**
 * Writes `content` over the beginning of an existing file, on disk when it returns. It needs no room on most file
 * systems (ext4, XFS, tmpfs), but unlike {@link replaceFile} only a content within one sector (512 bytes) comes whole
 * through a crash. Throws E_DISK_FULL, E_WRITE.
 */
export function overwriteFile(path: string, content: Uint8Array): void {
  try {
    const file = openSync(path, constants.O_WRONLY);
    try {
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at, content.length - at, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw fileFault(path, 'cannot be written', cause);
  }
}

/** Ends the names of the files that a crash during a write can leave behind. */
export const TEMPORARY_SUFFIX = '.weft-new';

/**
 * The fault that a failed system call at `path` is to a user: E_DISK_FULL, E_EXISTS, or `code` for what remains.
 * `doing` is the clause after the path: `cannot be written`.
 */
export function fileFault(path: string, doing: string, cause: unknown, code = 'E_WRITE'): WeftError {
  const { code: errno, message } = cause as NodeJS.ErrnoException;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new WeftError(
      'E_DISK_FULL',
      `${path} ${doing}: the disk is full`,
      'free some space there and try again',
      {
        cause,
      },
    );
  }
  if (errno === 'EEXIST') {
    return new WeftError('E_EXISTS', `${path} is there already`, 'give another name, or remove it first', {
      cause,
    });
  }
  const refusedRoot = errno === 'EACCES' && process.geteuid?.() === 0;
  const why = refusedRoot
    ? REFUSED_ROOT
    : (REASON_BY_ERRNO[errno ?? ''] ?? { problem: message, remedy: 'mend that and try again' });
  return new WeftError(code, `${path} ${doing}: ${why.problem}`, why.remedy, { cause });
}

/** Root without capabilities, as in a pod, may do no more than any owner. */
const REFUSED_ROOT = {
  problem: 'permission denied',
  remedy: 'make root the owner of its folder, or give another path',
};

const REASON_BY_ERRNO: Readonly<Record<string, { readonly problem: string; readonly remedy: string }>> = {
  EACCES: { problem: 'permission denied', remedy: 'run as root, or give another path' },
  EPERM: { problem: 'not permitted', remedy: 'run as root, or give another path' },
  EROFS: { problem: 'the file system is read-only', remedy: 'give a path on another one' },
  ENOENT: { problem: 'there is no such file or folder', remedy: 'make it, or give another path' },
  ENOTDIR: { problem: 'a part of the path is not a folder', remedy: 'give another path' },
  EISDIR: { problem: 'it is a folder', remedy: 'give the path of a file' },
};

function writeThrough(path: string, content: Uint8Array, putInPlace: (temporary: string) => void): void {
  const temporary = path + TEMPORARY_SUFFIX;
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    putInPlace(temporary);
    syncFolder(dirname(path));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw fileFault(path, 'cannot be written', cause);
  }
}

/** Makes the names in a folder last: without it a crash can undo a rename. */
function syncFolder(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

import { closeSync, constants, openSync } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';
import { addon } from './addon.ts';

const EWOULDBLOCK = 11;

/** An exclusive lock of a file among processes (flock). The kernel lets it go when the process ends, however it ends. */
export class FileLock {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Takes the lock of `path`, creating the file (0600) where it is missing; undefined while another holds it.
   * The file is never removed: a lock on a name that changes hands protects nothing.
   * @throws WeftError E_LOCK where the file cannot be opened or its file system has no locks.
   */
  static take(path: string): FileLock | undefined {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    } catch (cause) {
      throw failed(path, cause);
    }
    const outcome = addon().tryLock(fd);
    if (outcome === 0) return new FileLock(fd);
    closeSync(fd);
    if (outcome === -EWOULDBLOCK) return undefined;
    throw failed(path, new Error(`flock: errno ${-outcome}`));
  }

  /** Whether somebody holds the lock of `path`, which is taken for an instant to see it. Creates and throws as {@link take}. */
  static isHeld(path: string): boolean {
    const lock = FileLock.take(path);
    lock?.release();
    return lock === undefined;
  }

  /** Harmless when repeated. */
  release(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

function failed(path: string, cause: unknown): WeftError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const remedy = 'see that its folder exists and may be written';
  return new WeftError('E_LOCK', `cannot lock ${path}: ${reason}`, remedy, { cause });
}

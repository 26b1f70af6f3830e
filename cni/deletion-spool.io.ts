import { constants } from 'node:fs';
import { type FileHandle, open, opendir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type AttachmentKey, keyText } from './key.ts';
import type { DeletionSpool } from './needs.ts';

/** As many as the shim ever lets wait. */
export const MAX_SPOOLED_DELETIONS = 256;

/** The shim's longest request. */
export const MAX_SPOOLED_BYTES = 1024 * 1024;

/**
 * The folder RUN_DIR/deletions, which the shim writes and the daemon works off: one request a file, named by the
 * hash of its attachment. Files appear whole (by rename); names that begin with a dot are being written.
 */
export class DeletionFolder implements DeletionSpool {
  readonly #folder: string;

  constructor(runDir: string) {
    this.#folder = join(runDir, 'deletions');
  }

  async pending(): Promise<readonly string[]> {
    const names: string[] = [];
    try {
      for await (const entry of await opendir(this.#folder)) {
        if (entry.isFile() && !entry.name.startsWith('.')) names.push(entry.name);
        if (names.length === MAX_SPOOLED_DELETIONS) break;
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    return names.sort();
  }

  async read(name: string): Promise<unknown> {
    let file: FileHandle;
    try {
      file = await open(join(this.#folder, name), constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (isMissing(error)) return undefined; // a shim found a daemon after all and took it back
      throw error;
    }
    try {
      const { size } = await file.stat();
      if (size > MAX_SPOOLED_BYTES) return undefined;
      return JSON.parse(await file.readFile('utf8')) as unknown;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    } finally {
      await file.close();
    }
  }

  async discard(name: string): Promise<void> {
    await this.#remove(name);
  }

  async forget(key: AttachmentKey): Promise<void> {
    await this.#remove(spoolFileName(key));
  }

  async #remove(name: string): Promise<void> {
    try {
      await unlink(join(this.#folder, name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

/** The name that the shim gives the deletion of `key`; see spool.c. */
export function spoolFileName(key: AttachmentKey): string {
  return `${fnv1a(0xcbf29ce484222325n, key)}${fnv1a(0x84222325cbf29ce4n, key)}.json`;
}

function fnv1a(start: bigint, key: AttachmentKey): string {
  let value = start;
  for (const byte of new TextEncoder().encode(keyText(key))) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, '0');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

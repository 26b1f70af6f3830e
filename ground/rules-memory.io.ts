import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Remembers, from one weftd of a node to the next, as what nft lists the packet rules that it was given. Rules that stand as
 * they were set need not be set again: while the kernel puts a table in the place of another its sets are empty for some
 * milliseconds (seen with Linux 6.18), and what looks an address up in them then is dropped.
 */
export class RulesMemory {
  readonly #path: string;

  /** `path`: a file of ours, in a folder that only root writes to. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Whether `listed` is what nft listed right after it was last given a batch, and that was `batch`. */
  knows(batch: string, listed: string): boolean {
    try {
      return readFileSync(this.#path, 'utf8') === digest(batch, listed);
    } catch {
      return false;
    }
  }

  /** nft was given `batch` and lists it as `listed`. Where that cannot be written it is not remembered. */
  note(batch: string, listed: string): void {
    try {
      writeFileSync(this.#path, digest(batch, listed), { mode: 0o600 });
    } catch {
      // The next weftd sets the rules again.
    }
  }

  /** The rules are taken away. */
  forget(): void {
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // It says nothing of rules that are not there.
    }
  }
}

function digest(batch: string, listed: string): string {
  return `${createHash('sha256').update(batch).update('\0').update(listed).digest('hex')}\n`;
}

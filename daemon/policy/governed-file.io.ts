import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GOVERNED_FILE,
  type GovernedNamespaces,
  MAX_GOVERNED_BYTES,
  parseGoverned,
} from '../../npc/gate/governed-file.ts';

/** What weft-npc keeps in its state folder of the namespaces that have policies; read anew whenever it was written. */
export class GovernedFile {
  readonly #path: string;
  #version = '';
  #content: GovernedNamespaces | undefined;

  constructor(npcStateDir: string) {
    this.#path = join(npcStateDir, GOVERNED_FILE);
  }

  /** As of now; undefined where there is no such file, or none that can be read. */
  read(): GovernedNamespaces | undefined {
    try {
      const file = openSync(this.#path, 'r');
      try {
        const { ino, size, mtimeMs, ctimeMs } = fstatSync(file);
        const version = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
        if (version === this.#version) return this.#content;
        this.#content = size > MAX_GOVERNED_BYTES ? undefined : parseGoverned(readFileSync(file, 'utf8'));
        this.#version = version;
      } finally {
        closeSync(file);
      }
    } catch {
      this.#version = '';
      this.#content = undefined;
    }
    return this.#content;
  }
}

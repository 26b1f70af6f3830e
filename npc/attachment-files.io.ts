import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import {
  type GateAttachment,
  linkOfFileName,
  MAX_ATTACHMENT_BYTES,
  parseAttachmentText,
} from './gate/attachment-file.ts';

/**
 * The files in which weftd says who hangs on this node. They are put there whole, by rename, so each change of one changes
 * the time of their folder, and files that cannot have changed since are not read again.
 */
export class AttachmentFiles {
  readonly #folder: string;
  /** The state of the folder at the last look, and whether the look before it had found the same. */
  #state: string | undefined;
  #isSettled = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * What the files say, undefined for each that cannot be understood; a folder that is missing has none. 'unchanged' where
   * it is what the last look answered.
   *
   * The kernel's time goes by ticks: a file that comes in the tick in which the folder is read leaves no trace. So a state
   * is trusted only where the files were read once more, at a later look.
   */
  look(): readonly (GateAttachment | undefined)[] | 'unchanged' {
    const state = stateOf(this.#folder);
    const isSame = state !== undefined && state === this.#state;
    if (isSame && this.#isSettled) return 'unchanged';
    this.#state = state;
    this.#isSettled = isSame;
    return readAll(this.#folder);
  }

  /** The next look reads all files, whatever the last one found. */
  forget(): void {
    this.#state = undefined;
  }
}

/** Which folder it is, and when something in it changed last; undefined where there is none. */
function stateOf(folder: string): string | undefined {
  let found: BigIntStats;
  try {
    found = statSync(folder, { bigint: true });
  } catch {
    return undefined;
  }
  const { dev, ino, mtimeNs, ctimeNs } = found;
  return [dev, ino, mtimeNs, ctimeNs].join();
}

function readAll(folder: string): (GateAttachment | undefined)[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => linkOfFileName(name) !== undefined)
    .map((name) => {
      try {
        const path = `${folder}/${name}`;
        if (statSync(path).size > MAX_ATTACHMENT_BYTES) return undefined;
        const attachment = parseAttachmentText(readFileSync(path, 'utf8'));
        return attachment?.link === linkOfFileName(name) ? attachment : undefined;
      } catch {
        return undefined;
      }
    });
}

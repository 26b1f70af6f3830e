import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { TEMPORARY_SUFFIX } from '../../host/durable-file.io.ts';
import {
  attachmentFileName,
  attachmentJson,
  GATE_MARK,
  type GateAttachment,
  linkOfFileName,
  MAX_ATTACHMENT_BYTES,
  parseAttachmentText,
} from '../../npc/gate/attachment-file.ts';

/** More files than a node can have pods are not read. */
const MAX_FILES = 16_384;

/**
 * What the gate keeps in RUN_DIR: the folder `pods`, one file for each attachment, whole at any moment (by rename), and
 * the mark `policy-gate`. Nothing of it has to outlive the machine's run, so nothing is synced.
 */
export class GateFolder {
  readonly #folder: string;
  readonly #mark: string;

  constructor(runDir: string) {
    this.#folder = join(runDir, 'pods');
    this.#mark = join(runDir, GATE_MARK);
  }

  /** Whether a gate was laid since the machine started. */
  get wasLaid(): boolean {
    return existsSync(this.#mark);
  }

  /** Nobody removed the folder or the mark. */
  get stands(): boolean {
    return this.wasLaid && existsSync(this.#folder);
  }

  /** A gate was laid. Throws what the file system does. */
  noteLaid(): void {
    writeFileSync(this.#mark, '');
  }

  /** There is no gate any more: removes all that belongs to it. Throws what the file system does. */
  clear(): void {
    rmSync(this.#mark, { force: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * What the files say, and the names of those that cannot be read; those that a write left half-done are removed. Makes
   * the folder where it is missing. Throws what the file system does.
   */
  read(): { readonly attachments: GateAttachment[]; readonly unreadable: string[] } {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const attachments: GateAttachment[] = [];
    const unreadable: string[] = [];
    for (const name of readdirSync(this.#folder).slice(0, MAX_FILES)) {
      if (name.endsWith(TEMPORARY_SUFFIX)) {
        rmSync(join(this.#folder, name), { recursive: true, force: true });
        continue;
      }
      const attachment = this.#readOne(name);
      if (attachment === undefined) unreadable.push(name);
      else attachments.push(attachment);
    }
    return { attachments, unreadable };
  }

  /** Throws what the file system does; an earlier file is then untouched. */
  write(attachment: GateAttachment): void {
    const path = join(this.#folder, attachmentFileName(attachment.link));
    const text = `${JSON.stringify(attachmentJson(attachment))}\n`;
    const put = (): void => {
      writeFileSync(path + TEMPORARY_SUFFIX, text, { mode: 0o600 });
      renameSync(path + TEMPORARY_SUFFIX, path);
    };
    try {
      put();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Somebody removed the folder.
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      put();
    }
  }

  /** Harmless where there is none. A file that cannot be removed is found again at the next start. */
  remove(link: string): void {
    try {
      rmSync(join(this.#folder, attachmentFileName(link)), { recursive: true, force: true });
    } catch {
      // See above.
    }
  }

  #readOne(name: string): GateAttachment | undefined {
    const link = linkOfFileName(name);
    if (link === undefined) return undefined;
    try {
      const path = join(this.#folder, name);
      const found = statSync(path);
      if (!found.isFile() || found.size > MAX_ATTACHMENT_BYTES) return undefined;
      const attachment = parseAttachmentText(readFileSync(path, 'utf8'));
      return attachment?.link === link ? attachment : undefined;
    } catch {
      return undefined;
    }
  }
}

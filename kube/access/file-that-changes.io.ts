import { readFileSync, statSync } from 'node:fs';

/**
 * The text of a file, read again whenever the file has changed. The kubelet replaces it by another file under the same
 * name. Where it cannot be read for a while, what was read last counts; throws where nothing was read yet.
 */
export function fileThatChanges(path: string): () => string {
  let seen: string | undefined;
  let text: string | undefined;
  return () => {
    try {
      const { ino, mtimeMs, size } = statSync(path);
      const now = `${ino} ${mtimeMs} ${size}`;
      if (now !== seen) {
        text = readFileSync(path, 'utf8').trim();
        seen = now;
      }
    } catch (error) {
      if (text === undefined) throw error;
    }
    return text!;
  };
}

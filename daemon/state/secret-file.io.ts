import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { utf8Text } from '../../base/bytes.ts';
import { WeftError } from '../../base/weft-error.ts';
import { fileFault } from '../../host/durable-file.io.ts';

/** Bytes a secret file may have; a real one has under 100. */
const MAX_SECRET_BYTES = 4096;

/**
 * The text of the cluster's secret file; what is in it is read by `crypto/cluster-secret.ts`.
 * Throws E_SECRET_MISSING, E_SECRET_MODE where anybody but its owner may read it, E_SECRET_UNREADABLE.
 * A symbolic link is followed (Kubernetes mounts secrets so); what it leads to is what is judged.
 */
export function readSecretFile(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw fileFault(`secret file ${path}`, 'cannot be read', cause, 'E_SECRET_UNREADABLE');
    }
    const remedy = `copy it from another node, or make the first with 'weft secret new --file ${path}'`;
    throw new WeftError('E_SECRET_MISSING', `secret file ${path} does not exist`, remedy, { cause });
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw unreadable(path, 'is not a file');
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      const remedy = `run 'chmod 600 ${path}', and make a new secret if somebody may have read this one`;
      throw new WeftError('E_SECRET_MODE', `secret file ${path} is open to others (mode ${mode})`, remedy);
    }
    const content = new Uint8Array(MAX_SECRET_BYTES + 1);
    const length = readSync(file, content, 0, content.length, 0);
    const text = length > MAX_SECRET_BYTES ? undefined : utf8Text(content.subarray(0, length));
    content.fill(0);
    if (text === undefined) throw unreadable(path, 'is not a line of text');
    return text;
  } finally {
    closeSync(file);
  }
}

function unreadable(path: string, problem: string): WeftError {
  return new WeftError(
    'E_SECRET_UNREADABLE',
    `secret file ${path} ${problem}`,
    'give the file of the cluster secret',
  );
}

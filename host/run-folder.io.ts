import { mkdirSync, type Stats, statSync } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';
import { fileFault } from './durable-file.io.ts';

/**
 * Makes the run folder where it is missing. Whoever may write there could serve the control socket in our place and
 * leave deletions for us to carry out, so nobody but root and our own user may.
 *
 * Throws E_RUN_DIR where it cannot be made, is no folder, or is open to others.
 */
export function openRunFolder(path: string): void {
  const stat = makeAndLook(path);
  if (!stat.isDirectory()) throw fault(`${path} is no folder`, 'give another with --run-dir');
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
    throw fault(`${path} belongs to user ${stat.uid}`, 'give a folder of root with --run-dir');
  }
  if ((stat.mode & 0o022) !== 0) {
    throw fault(`${path} can be written by others`, `see what is in it, then run 'chmod go-w ${path}'`);
  }
}

function makeAndLook(path: string): Stats {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return statSync(path);
  } catch (cause) {
    throw fileFault(path, 'cannot be made a folder', cause, 'E_RUN_DIR');
  }
}

function fault(message: string, remedy: string): WeftError {
  return new WeftError('E_RUN_DIR', message, remedy);
}

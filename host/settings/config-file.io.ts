import { readFileSync, statSync } from 'node:fs';
import { WeftError } from '../../base/weft-error.ts';

/** Bytes a config file may have. */
const MAX_FILE_BYTES = 65_536;

/** The text of a config file, or why it cannot be read (E_CONFIG_FILE). */
export function readConfigFile(path: string): { readonly path: string; readonly text: string } | WeftError {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return fault(path, 'is not a file');
    if (stat.size > MAX_FILE_BYTES) return fault(path, `is larger than ${MAX_FILE_BYTES} bytes`);
    return { path, text: readFileSync(path, 'utf8') };
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    return fault(path, missing ? 'does not exist' : `cannot be read (${(cause as Error).message})`, cause);
  }
}

function fault(path: string, problem: string, cause?: unknown): WeftError {
  const remedy = 'give another with --config';
  return new WeftError('E_CONFIG_FILE', `config file ${path} ${problem}`, remedy, { cause });
}

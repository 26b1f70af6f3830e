import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { WeftError } from '../../base/weft-error.ts';
import { configFileAsked, type Intent, readConfig } from './config.ts';

/** Bytes a config file may have. */
const MAX_FILE_BYTES = 65_536;

/** Reads the settings of this process. Never throws: every fault is in the answer. */
export function loadConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Intent {
  const path = configFileAsked({ argv, env });
  return readConfig({
    argv,
    env,
    hostName: hostname(),
    ...(path === undefined ? {} : { file: readFile(path) }),
  });
}

function readFile(path: string): { readonly path: string; readonly text: string } | WeftError {
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
  return new WeftError('E_CONFIG_FILE', `config file ${path} ${problem}`, 'give another with --config', {
    cause,
  });
}

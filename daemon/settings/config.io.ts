import { hostname } from 'node:os';
import { readConfigFile } from '../../host/settings/config-file.io.ts';
import { configFileAsked, type Intent, readConfig } from './config.ts';

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
    ...(path === undefined ? {} : { file: readConfigFile(path) }),
  });
}

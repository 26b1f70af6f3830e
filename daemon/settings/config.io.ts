import type { Intent } from '../../host/settings/intent.ts';
import { loadIntent } from '../../host/settings/load-intent.io.ts';
import { type Config, readConfig } from './config.ts';
import { SETTING_TABLE } from './settings.ts';

/** Reads the settings of this process. Never throws: every fault is in the answer. */
export function loadConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Intent<Config> {
  return loadIntent(SETTING_TABLE, readConfig, { argv, env });
}

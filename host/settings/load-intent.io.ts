import { hostname } from 'node:os';
import { readConfigFile } from './config-file.io.ts';
import { configFileAsked, type Intent, type IntentInput } from './intent.ts';
import type { SettingTable } from './setting.ts';

/** Reads the settings of this process by `read`. Never throws: every fault is in the answer. */
export function loadIntent<Name extends string, Config>(
  table: SettingTable<Name>,
  read: (input: IntentInput) => Intent<Config>,
  input: Pick<IntentInput, 'argv' | 'env'>,
): Intent<Config> {
  const path = configFileAsked(table, input);
  const file = path === undefined ? {} : { file: readConfigFile(path) };
  return read({ ...input, hostName: hostname(), ...file });
}

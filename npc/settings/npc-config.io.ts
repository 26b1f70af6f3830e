import { hostname } from 'node:os';
import { readConfigFile } from '../../host/settings/config-file.io.ts';
import { type NpcIntent, npcConfigFileAsked, readNpcConfig } from './npc-config.ts';

/** Reads the settings of this process. Never throws: every fault is in the answer. */
export function loadNpcConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): NpcIntent {
  const path = npcConfigFileAsked({ argv, env });
  return readNpcConfig({
    argv,
    env,
    hostName: hostname(),
    ...(path === undefined ? {} : { file: readConfigFile(path) }),
  });
}

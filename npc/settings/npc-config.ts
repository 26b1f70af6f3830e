import type { Endpoint } from '../../base/endpoint.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { LogLevel } from '../../host/log.ts';
import type { Intent, IntentInput } from '../../host/settings/intent.ts';
import { bad, good, type Reading } from '../../host/settings/setting.ts';
import {
  readEndpoint,
  readListenEndpoint,
  readPath,
  readSocketFolder,
  readSwitch,
  readWord,
} from '../../host/settings/setting-readers.ts';
import {
  type Given,
  givenInEnvironment,
  givenInFile,
  givenOnCommandLine,
  inPrecedence,
} from '../../host/settings/setting-sources.ts';
import { settingValues } from '../../host/settings/setting-values.ts';
import { settingsHelp } from '../../host/settings/settings-help.ts';
import { NPC_SETTING_TABLE, type NpcSettingName } from './npc-settings.ts';

/** All that a user can set about weft-npc, read and checked. */
export interface NpcConfig {
  readonly nodeName: string;
  /** Absolute paths without a final slash. */
  readonly runDir: string;
  readonly stateDir: string;
  /** Undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  /** Undefined: nowhere. */
  readonly healthListen: Endpoint | undefined;
  /** Where Prometheus is answered; undefined: nowhere. */
  readonly metricsListen: Endpoint | undefined;
  readonly reject: boolean;
  readonly dropLog: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

/** Reads flags, environment and config file, in this order of precedence, over the defaults. */
export function readNpcConfig({ argv, env, hostName, file }: IntentInput): Intent<NpcConfig> {
  const faults: WeftError[] = [];
  const flags = givenOnCommandLine(NPC_SETTING_TABLE, argv, faults);
  if (flags.help) return { action: 'help' };
  if (flags.version) return { action: 'version' };
  const { settings } = givenInEnvironment(NPC_SETTING_TABLE, env, faults);
  let inFile: Given<NpcSettingName> = new Map();
  if (file instanceof WeftError) faults.push(file);
  else if (file) inFile = givenInFile(NPC_SETTING_TABLE, file, faults);
  const given = inPrecedence({ flags: flags.settings, env: settings, file: inFile });
  const { one } = settingValues(given, faults);
  const config: NpcConfig = {
    nodeName: one('node-name', readNodeName, hostName.toLowerCase()),
    runDir: one('run-dir', readSocketFolder('weft-npc.sock'), '/run/weft'),
    stateDir: one('state-dir', readPath, '/var/lib/weft-npc'),
    kubeconfig: one<string | undefined>('kubeconfig', readPath, undefined),
    healthListen: one<Endpoint | undefined>('health-listen', readEndpoint, undefined),
    metricsListen: one<Endpoint | undefined>('metrics-listen', readListenEndpoint, undefined),
    reject: one('reject', readSwitch, false),
    dropLog: one('drop-log', readSwitch, true),
    logLevel: one<LogLevel>('log-level', readWord(['error', 'warn', 'info', 'debug']), 'info'),
    logFormat: one('log-format', readWord(['text', 'json']), 'text'),
  };
  return faults.length > 0 ? { action: 'refuse', faults } : { action: 'run', config };
}

/** What `weft-npc --help` prints. */
export function npcHelpText(): string {
  return settingsHelp(NPC_SETTING_TABLE, { usage: 'weft-npc [flags]', footer: HELP_FOOTER });
}

const HELP_FOOTER = `
Each flag can also be set in the environment (--run-dir as WEFT_NPC_RUN_DIR) and in the config file
({"run-dir": "/run/weft"}). A flag goes before the environment, that before the file.
`.trim();

function readNodeName(text: string): Reading<string> {
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) return good(text);
  return bad('is no name of a node', "give it as 'kubectl get nodes' shows it");
}

import { type Address, formatAddress } from '../../base/address.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { printable } from '../../base/printable.ts';
import type { Range } from '../../base/range.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { LogLevel } from '../../host/log.ts';
import type { Intent, IntentInput } from '../../host/settings/intent.ts';
import type { Reading } from '../../host/settings/setting.ts';
import {
  readEndpoint,
  readInteger,
  readListen,
  readListenEndpoint,
  readPath,
  readPort,
  readSeconds,
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
import { settingValues, valueFault } from '../../host/settings/setting-values.ts';
import { settingsHelp } from '../../host/settings/settings-help.ts';
import { AUTO_DATAPATH, DATAPATH_NAMES } from '../../router/datapath/choose-datapath.ts';
import type { PeerHint } from './peer-hint.ts';
import {
  type GenesisSetting,
  readAdvertised,
  readGenesis,
  readMtu,
  readName,
  readPeer,
  readRange4,
  readRange6,
  readRunDir,
  SETTING_TABLE,
  type SettingName,
} from './settings.ts';
import { translateWeaveEnvironment } from './weave-environment.ts';

/** All that a user can set about one weftd, read and checked. */
export interface Config {
  readonly name: string;
  /** Absolute paths without a final slash. */
  readonly stateDir: string;
  readonly runDir: string;
  readonly secretFile: string;
  /** TCP and UDP, 1 to 65535. */
  readonly port: number;
  /** Empty: all addresses of the host. */
  readonly listen: readonly Address[];
  readonly peers: readonly PeerHint[];
  /** Empty: the host's own addresses. */
  readonly advertise: readonly Endpoint[];
  /** Undefined: no IPv4 for pods. */
  /** 'default': that of the ring to which the node belongs, else {@link DEFAULT_RANGE4}. */
  readonly range4: Range | 'default' | undefined;
  /** 'derived': a /64 made from the cluster secret. Undefined: no IPv6 for pods. */
  readonly range6: Range | 'derived' | undefined;
  readonly genesis: GenesisSetting;
  /** Milliseconds from the fence of a peer to the move of its ranges; undefined: as ipam has it. */
  readonly safeWaitMs: number | undefined;
  /** 'auto', or the name of a kind of datapath. */
  readonly datapath: string;
  /** Bytes; undefined: from the underlay. */
  readonly mtu: number | undefined;
  readonly masquerade: boolean;
  /** Run in a pod of Kubernetes, whose API tells where peers are and who begins the ring. */
  readonly kubernetes: boolean;
  /** Take the place of a weftd that serves this node, and make room for the next one. */
  readonly takeOver: boolean;
  /** Keep the gate for policies. */
  readonly policy: boolean;
  readonly npcStateDir: string;
  /** Record flows although nobody watches. */
  readonly flows: boolean;
  /** Switch the accounting of connection tracking on. */
  readonly flowBytes: boolean;
  /** Set the packet rules and end. */
  readonly rulesOnly: boolean;
  /** Where probes are answered; undefined: nowhere. */
  readonly healthListen: Endpoint | undefined;
  /** Where Prometheus is answered; undefined: nowhere. */
  readonly metricsListen: Endpoint | undefined;
  /** At most so many peers have series of their own in the metrics. */
  readonly metricsPeers: number;
  /** The runtime's network configuration to be written; undefined: none. */
  readonly cniConfig: string | undefined;
  readonly cniBinDir: string;
  readonly sysctlDir: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

export const DEFAULT_PORT = 6783;
export const DEFAULT_RUN_DIR = '/run/weft';
export const DEFAULT_STATE_DIR = '/var/lib/weft';
export const DEFAULT_NPC_STATE_DIR = '/var/lib/weft-npc';
/** Clear of 10.42.0.0/16 and 10.43.0.0/16, which k3s and RKE2 use for pods and Services. */
export const DEFAULT_RANGE4 = '10.32.0.0/13';

/** n² series in a cluster of n nodes that show each other: 17,500 of 50, and a Prometheus takes some millions. */
const DEFAULT_METRICS_PEERS = 50;
const MOST_METRICS_PEERS = 1_000;

/** The addresses to listen on, as text. None: all of the host. */
export function listenHosts(config: Pick<Config, 'listen'>): string[] {
  return config.listen.map(formatAddress);
}

/** Reads flags, environment and config file, in this order of precedence, over the defaults. */
export function readConfig(input: IntentInput): Intent<Config> {
  const faults: WeftError[] = [];
  const flags = givenOnCommandLine(SETTING_TABLE, input.argv, faults);
  if (flags.help) return { action: 'help' };
  if (flags.version) return { action: 'version' };
  const underKubernetes = isSwitchedOn(flags.settings) ?? input.env.WEFT_KUBERNETES === 'true';
  const weaveless = translateWeaveEnvironment(input.env, { underKubernetes }, faults);
  const env = givenInEnvironment(SETTING_TABLE, weaveless, faults);
  let file: Given<SettingName> = new Map();
  if (input.file instanceof WeftError) faults.push(input.file);
  else if (input.file) file = givenInFile(SETTING_TABLE, input.file, faults);
  const given = inPrecedence({ flags: flags.settings, env: env.settings, file });
  const config = build(given, input.hostName, faults);
  return faults.length > 0 ? { action: 'refuse', faults } : { action: 'run', config };
}

function isSwitchedOn(flags: Given<SettingName>): boolean | undefined {
  const text = flags.get('kubernetes')?.texts[0];
  return text === undefined ? undefined : text === 'true';
}

/** What `weftd --help` prints. */
export function helpText(): string {
  const [usage, footer] = ['weftd --secret-file FILE [--peer PEER]… [flags]', HELP_FOOTER];
  return settingsHelp(SETTING_TABLE, { usage, footer });
}

const HELP_FOOTER = `
Each flag can also be set in the environment (--state-dir as WEFT_STATE_DIR, lists with commas between) and
in the config file ({"state-dir": "/data", "peer": ["a", "b"]}). A flag goes before the environment, that
before the file.
`.trim();

function build(given: Given<SettingName>, hostName: string, faults: WeftError[]): Config {
  const { one, values } = settingValues(given, faults);
  const port = one('port', readPort, DEFAULT_PORT);
  const kubernetes = one('kubernetes', readSwitch, false);
  const config: Config = {
    name: one('name', readName, ''),
    stateDir: one('state-dir', readPath, DEFAULT_STATE_DIR),
    runDir: one('run-dir', readRunDir, DEFAULT_RUN_DIR),
    secretFile: one('secret-file', readPath, ''),
    port,
    listen: values('listen', readListen),
    peers: values('peer', (text) => readPeer(text, port)),
    advertise: values('advertise', (text) => readAdvertised(text, port)),
    range4: one<Range | 'default' | undefined>('ipalloc-range', readRange4, 'default'),
    range6: one<Range | 'derived' | undefined>('ipalloc-range6', readRange6, 'derived'),
    genesis: one<GenesisSetting>('ipalloc-init', readGenesis, { mode: kubernetes ? 'authority' : 'none' }),
    safeWaitMs: one<number | undefined>('safe-wait', readSafeWait, undefined),
    datapath: one('datapath', readWord([AUTO_DATAPATH, ...DATAPATH_NAMES]), AUTO_DATAPATH),
    mtu: one<number | undefined>('mtu', readMtu, undefined),
    masquerade: one('masquerade', readSwitch, true),
    kubernetes,
    takeOver: one('take-over', readSwitch, false),
    policy: one('policy', readSwitch, false),
    npcStateDir: one('npc-state-dir', readPath, DEFAULT_NPC_STATE_DIR),
    flows: one('flows', readSwitch, false),
    flowBytes: one('flow-bytes', readSwitch, false),
    rulesOnly: one('rules-only', readSwitch, false),
    healthListen: one<Endpoint | undefined>('health-listen', readEndpoint, undefined),
    metricsListen: one<Endpoint | undefined>('metrics-listen', readListenEndpoint, undefined),
    metricsPeers: one('metrics-peers', readPeerCount, DEFAULT_METRICS_PEERS),
    cniConfig: one<string | undefined>('cni-config', readPath, undefined),
    cniBinDir: one('cni-bin-dir', readPath, '/opt/cni/bin'),
    sysctlDir: one('sysctl-dir', readPath, '/proc/sys'),
    logLevel: one<LogLevel>('log-level', readWord(['error', 'warn', 'info', 'debug']), 'info'),
    logFormat: one('log-format', readWord(['text', 'json']), 'text'),
  };
  crossCheck(config, given, faults);
  return given.has('name') ? config : { ...config, name: nameOfHost(hostName, faults) };
}

function readPeerCount(text: string): Reading<number> {
  return readInteger(text, 0, MOST_METRICS_PEERS, 'a number of nodes');
}

function readSafeWait(text: string): Reading<number> {
  const seconds = readSeconds(text);
  return seconds.ok ? { ok: true, value: 1000 * seconds.value } : seconds;
}

/** Faults that lie between settings. */
function crossCheck(config: Config, given: Given<SettingName>, faults: WeftError[]): void {
  if (!given.has('secret-file')) {
    const remedy =
      "make a secret with 'weft secret new --file FILE', copy it to each node and give --secret-file FILE";
    faults.push(new WeftError('E_SECRET_UNSET', 'no secret file is given', remedy));
  }
  if (config.range4 === undefined && config.range6 === undefined) {
    faults.push(
      valueFault('neither an IPv4 nor an IPv6 range is left', 'give --ipalloc-range or --ipalloc-range6'),
    );
  }
  if (config.stateDir === config.runDir) {
    faults.push(
      valueFault(`--state-dir and --run-dir are both '${config.runDir}'`, 'give two different folders'),
    );
  }
}

function nameOfHost(hostName: string, faults: WeftError[]): string {
  const name = readName(hostName);
  if (!name.ok)
    faults.push(valueFault(`the host name '${printable(hostName, 80)}' ${name.problem}`, 'give --name'));
  return hostName;
}

import { WeftError } from '../../base/weft-error.ts';
import { SETTINGS, type Setting, type SettingName } from './settings.ts';

/** The texts given for a setting in one source, and how the user knows that place: `--port`, `WEFT_PORT`. */
export interface GivenTexts {
  readonly texts: readonly string[];
  readonly source: string;
}

export type Given = ReadonlyMap<SettingName, GivenTexts>;

export interface CommandLine {
  readonly settings: Given;
  readonly configFile: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
}

/** Splits the command line into settings: `--x VALUE`, `--x=VALUE`, `--switch`, `--no-switch`. Adds to `faults`. */
export function givenOnCommandLine(argv: readonly string[], faults: WeftError[]): CommandLine {
  const settings = new Map<SettingName, GivenTexts>();
  let configFile: string | undefined;
  let help = false;
  let version = false;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    const [, flag = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const switched = switchOf(flag);
    if (argument === '--help' || argument === '-h') help = true;
    else if (argument === '--version') version = true;
    else if (switched) {
      if (inline === undefined) add(settings, switched.name, [String(switched.on)], `--${flag}`, faults);
      else faults.push(new WeftError('E_CONFIG_VALUE', `--${flag} takes no value`, `leave out '=${inline}'`));
    } else if (isSetting(flag) || flag === 'config') {
      const next = argv[i + 1];
      const value = inline ?? (next?.startsWith('--') ? undefined : next);
      if (inline === undefined && value !== undefined) i++;
      if (value === undefined) {
        faults.push(new WeftError('E_CONFIG_VALUE', `--${flag} has no value`, `give one: --${flag}=VALUE`));
      } else if (flag === 'config' && configFile !== undefined) {
        faults.push(new WeftError('E_CONFIG_VALUE', '--config is given twice', 'leave one out'));
      } else if (flag === 'config') configFile = value;
      else if (isSetting(flag)) add(settings, flag, [value], `--${flag}`, faults);
    } else {
      faults.push(unknownArgument(argument));
      // What follows an unknown flag is its value most likely, and no fault of its own.
      if (flag !== '' && inline === undefined && argv[i + 1]?.startsWith('-') === false) i++;
    }
  }
  return { settings, configFile, help, version };
}

/** The settings among the `WEFT_…` variables. Any other variable of that prefix is a fault. Adds to `faults`. */
export function givenInEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  faults: WeftError[],
): { readonly settings: Given; readonly configFile: string | undefined } {
  const settings = new Map<SettingName, GivenTexts>();
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith('WEFT_') || variable === 'WEFT_CONFIG') continue;
    const name = variable.slice('WEFT_'.length).toLowerCase().replaceAll('_', '-');
    if (isServiceLink(variable, text)) faults.push(serviceLinkFault(variable));
    else if (!isSetting(name) || variable !== variableOf(name)) faults.push(unknownVariable(variable, name));
    else {
      const many = kindOf(name) === 'many';
      const texts = many ? text.split(',').flatMap((each) => each.trim() || []) : [text];
      settings.set(name, { texts, source: variable });
    }
  }
  return { settings, configFile: env.WEFT_CONFIG };
}

/** The settings of a config file: one JSON object, its keys the flags' names. Adds to `faults`. */
export function givenInFile(path: string, text: string, faults: WeftError[]): Given {
  const settings = new Map<SettingName, GivenTexts>();
  const fault = (message: string, remedy: string): void => {
    faults.push(new WeftError('E_CONFIG_FILE', `config file ${path} ${message}`, remedy));
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    fault(`is not JSON (${(cause as Error).message.replace(/\s+/g, ' ')})`, 'mend it there');
    return settings;
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    fault('is not a JSON object', 'write one like {"name": "a", "peer": ["b"]}');
    return settings;
  }
  for (const [key, value] of Object.entries(content)) {
    if (!isSetting(key)) {
      fault(`has the unknown key "${key}"`, `remove it${orNearest(key, (name) => `"${name}"`)}`);
      continue;
    }
    const texts = textsOf(key, value);
    if (texts) settings.set(key, { texts, source: `"${key}" in ${path}` });
    else fault(`has a wrong kind of value for "${key}"`, `give ${EXPECTED[kindOf(key)]}`);
  }
  return settings;
}

const EXPECTED = {
  one: 'a text or a number',
  many: 'a list of texts',
  switch: 'true or false',
} as const satisfies Record<Setting['kind'], string>;

function textsOf(name: SettingName, value: unknown): string[] | undefined {
  const kind = kindOf(name);
  if (kind === 'switch') return typeof value === 'boolean' ? [String(value)] : undefined;
  if (kind === 'one') {
    return typeof value === 'string' || typeof value === 'number' ? [String(value)] : undefined;
  }
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
}

function add(
  settings: Map<SettingName, GivenTexts>,
  name: SettingName,
  texts: readonly string[],
  source: string,
  faults: WeftError[],
): void {
  const before = settings.get(name);
  if (before && kindOf(name) !== 'many') {
    const message =
      before.source === source ? `${source} is given twice` : `${before.source} and ${source} are given`;
    faults.push(new WeftError('E_CONFIG_VALUE', message, 'leave one out'));
  } else settings.set(name, { texts: [...(before?.texts ?? []), ...texts], source });
}

function isSetting(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

function kindOf(name: SettingName): Setting['kind'] {
  return SETTINGS[name].kind;
}

function switchOf(flag: string): { readonly name: SettingName; readonly on: boolean } | undefined {
  const on = !flag.startsWith('no-');
  const name = on ? flag : flag.slice('no-'.length);
  return isSetting(name) && kindOf(name) === 'switch' ? { name, on } : undefined;
}

function variableOf(name: SettingName): string {
  return `WEFT_${name.toUpperCase().replaceAll('-', '_')}`;
}

function unknownArgument(argument: string): WeftError {
  const flag = /^--([^=]+)/.exec(argument)?.[1];
  if (flag === undefined) {
    return new WeftError(
      'E_CONFIG_UNKNOWN',
      `'${argument}' is not a flag`,
      "give settings as flags, see 'weftd --help'",
    );
  }
  const remedy = `see 'weftd --help'${orNearest(flag, (name) => `--${name}`)}`;
  return new WeftError('E_CONFIG_UNKNOWN', `unknown flag --${flag}`, remedy);
}

function unknownVariable(variable: string, name: string): WeftError {
  const remedy =
    variable === 'WEFT_SECRET'
      ? 'unset it and give a file by WEFT_SECRET_FILE: other processes can read an environment'
      : `unset it${orNearest(name, variableOf)}`;
  return new WeftError('E_CONFIG_UNKNOWN', `unknown environment variable ${variable}`, remedy);
}

/**
 * Kubernetes sets `WEFT_PORT=tcp://…`, `WEFT_SERVICE_HOST=…` and so on in each pod of a namespace with a Service
 * named weft; taken as settings they would only baffle.
 */
function isServiceLink(variable: string, text: string): boolean {
  return /^WEFT_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*)$/.test(variable) || /^(tcp|udp|sctp):\/\//.test(text);
}

function serviceLinkFault(variable: string): WeftError {
  const remedy = "set enableServiceLinks: false in weftd's pod";
  return new WeftError(
    'E_CONFIG_UNKNOWN',
    `${variable} is set by Kubernetes for a Service, not by you`,
    remedy,
  );
}

/** `, or did you mean …` where a setting's name is at most two edits away. */
function orNearest(name: string, format: (name: SettingName) => string): string {
  const nearest = (Object.keys(SETTINGS) as SettingName[])
    .map((each) => ({ each, distance: editDistance(name.slice(0, 40), each) }))
    .sort((a, b) => a.distance - b.distance)[0]!;
  return nearest.distance <= 2 ? `, or did you mean ${format(nearest.each)}?` : '';
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

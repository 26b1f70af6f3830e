import { WeftError } from '../../base/weft-error.ts';
import type { Setting, SettingTable } from './setting.ts';

/** The texts given for a setting in one source, and how the user knows that place: `--port`, `WEFT_PORT`. */
interface GivenTexts {
  readonly texts: readonly string[];
  readonly source: string;
}

/** The settings that one source gives. */
export type Given<Name extends string = string> = ReadonlyMap<Name, GivenTexts>;

/** What a command line asks for. */
interface CommandLine<Name extends string = string> {
  readonly settings: Given<Name>;
  readonly configFile: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
}

/** Splits the command line into settings: `--x VALUE`, `--x=VALUE`, `--switch`, `--no-switch`. Adds to `faults`. */
export function givenOnCommandLine<Name extends string>(
  table: SettingTable<Name>,
  argv: readonly string[],
  faults: WeftError[],
): CommandLine<Name> {
  const settings = new Map<Name, GivenTexts>();
  let configFile: string | undefined;
  let help = false;
  let version = false;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    const [, flag = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const switched = switchOf(table, flag);
    if (argument === '--help' || argument === '-h') help = true;
    else if (argument === '--version') version = true;
    else if (switched) {
      if (inline === undefined)
        add(table, settings, switched.name, [String(switched.on)], `--${flag}`, faults);
      else faults.push(new WeftError('E_CONFIG_VALUE', `--${flag} takes no value`, `leave out '=${inline}'`));
    } else if (isSetting(table, flag) || flag === 'config') {
      const next = argv[i + 1];
      const value = inline ?? (next?.startsWith('--') ? undefined : next);
      if (inline === undefined && value !== undefined) i++;
      if (value === undefined) {
        faults.push(new WeftError('E_CONFIG_VALUE', `--${flag} has no value`, `give one: --${flag}=VALUE`));
      } else if (flag === 'config' && configFile !== undefined) {
        faults.push(new WeftError('E_CONFIG_VALUE', '--config is given twice', 'leave one out'));
      } else if (flag === 'config') configFile = value;
      else if (isSetting(table, flag)) add(table, settings, flag, [value], `--${flag}`, faults);
    } else {
      faults.push(unknownArgument(table, argument));
      // What follows an unknown flag is its value most likely, and no fault of its own.
      if (flag !== '' && inline === undefined && argv[i + 1]?.startsWith('-') === false) i++;
    }
  }
  return { settings, configFile, help, version };
}

/** The settings among the variables of the table's prefix. Any other variable of that prefix is a fault. Adds to `faults`. */
export function givenInEnvironment<Name extends string>(
  table: SettingTable<Name>,
  env: Readonly<Record<string, string | undefined>>,
  faults: WeftError[],
): { readonly settings: Given<Name>; readonly configFile: string | undefined } {
  const settings = new Map<Name, GivenTexts>();
  const configVariable = `${table.prefix}CONFIG`;
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith(table.prefix) || variable === configVariable) continue;
    const name = variable.slice(table.prefix.length).toLowerCase().replaceAll('_', '-');
    if (isServiceLink(table, variable, text)) faults.push(serviceLinkFault(table, variable));
    else if (!isSetting(table, name) || variable !== variableOf(table, name))
      faults.push(unknownVariable(table, variable, name));
    else {
      const many = kindOf(table, name) === 'many';
      const texts = many ? text.split(',').flatMap((each) => each.trim() || []) : [text];
      settings.set(name, { texts, source: variable });
    }
  }
  return { settings, configFile: env[configVariable] };
}

/** The settings of a config file: one JSON object, its keys the flags' names. Adds to `faults`. */
export function givenInFile<Name extends string>(
  table: SettingTable<Name>,
  file: { readonly path: string; readonly text: string },
  faults: WeftError[],
): Given<Name> {
  const { path, text } = file;
  const settings = new Map<Name, GivenTexts>();
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
    if (!isSetting(table, key)) {
      fault(`has the unknown key "${key}"`, `remove it${orNearest(table, key, (name) => `"${name}"`)}`);
      continue;
    }
    const texts = textsOf(table, key, value);
    if (texts) settings.set(key, { texts, source: `"${key}" in ${path}` });
    else fault(`has a wrong kind of value for "${key}"`, `give ${EXPECTED[kindOf(table, key)]}`);
  }
  return settings;
}

/** What holds of all that was given. A setting in one source hides the same in those below it, lists too. */
export function inPrecedence<Name extends string>(given: {
  readonly flags: Given<Name>;
  readonly env: Given<Name>;
  readonly file: Given<Name>;
}): Given<Name> {
  return new Map([...given.file, ...given.env, ...given.flags]);
}

const EXPECTED = {
  one: 'a text or a number',
  many: 'a list of texts',
  switch: 'true or false',
} as const satisfies Record<Setting['kind'], string>;

function textsOf<Name extends string>(
  table: SettingTable<Name>,
  name: Name,
  value: unknown,
): string[] | undefined {
  const kind = kindOf(table, name);
  if (kind === 'switch') return typeof value === 'boolean' ? [String(value)] : undefined;
  if (kind === 'one') {
    return typeof value === 'string' || typeof value === 'number' ? [String(value)] : undefined;
  }
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
}

function add<Name extends string>(
  table: SettingTable<Name>,
  settings: Map<Name, GivenTexts>,
  name: Name,
  texts: readonly string[],
  source: string,
  faults: WeftError[],
): void {
  const before = settings.get(name);
  if (before && kindOf(table, name) !== 'many') {
    const message =
      before.source === source ? `${source} is given twice` : `${before.source} and ${source} are given`;
    faults.push(new WeftError('E_CONFIG_VALUE', message, 'leave one out'));
  } else settings.set(name, { texts: [...(before?.texts ?? []), ...texts], source });
}

function isSetting<Name extends string>(table: SettingTable<Name>, name: string): name is Name {
  return Object.hasOwn(table.settings, name);
}

function kindOf<Name extends string>(table: SettingTable<Name>, name: Name): Setting['kind'] {
  return table.settings[name].kind;
}

function switchOf<Name extends string>(
  table: SettingTable<Name>,
  flag: string,
): { readonly name: Name; readonly on: boolean } | undefined {
  const on = !flag.startsWith('no-');
  const name = on ? flag : flag.slice('no-'.length);
  return isSetting(table, name) && kindOf(table, name) === 'switch' ? { name, on } : undefined;
}

function variableOf(table: SettingTable, name: string): string {
  return `${table.prefix}${name.toUpperCase().replaceAll('-', '_')}`;
}

function unknownArgument(table: SettingTable, argument: string): WeftError {
  const flag = /^--([^=]+)/.exec(argument)?.[1];
  if (flag === undefined) {
    return new WeftError(
      'E_CONFIG_UNKNOWN',
      `'${argument}' is not a flag`,
      `give settings as flags, see '${table.program} --help'`,
    );
  }
  const remedy = `see '${table.program} --help'${orNearest(table, flag, (name) => `--${name}`)}`;
  return new WeftError('E_CONFIG_UNKNOWN', `unknown flag --${flag}`, remedy);
}

function unknownVariable(table: SettingTable, variable: string, name: string): WeftError {
  const known = table.remedyByUnknownVariable?.[variable];
  const remedy =
    known === undefined ? orNearest(table, name, (each) => variableOf(table, each)) : ` and ${known}`;
  return new WeftError('E_CONFIG_UNKNOWN', `unknown environment variable ${variable}`, `unset it${remedy}`);
}

/**
 * Kubernetes sets `WEFT_PORT=tcp://…`, `WEFT_SERVICE_HOST=…` and so on in each pod of a namespace with a Service
 * named weft; taken as settings they would only baffle.
 */
function isServiceLink(table: SettingTable, variable: string, text: string): boolean {
  const rest = variable.slice(table.prefix.length);
  return /^(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*)$/.test(rest) || /^(tcp|udp|sctp):\/\//.test(text);
}

function serviceLinkFault(table: SettingTable, variable: string): WeftError {
  const remedy = `set enableServiceLinks: false in ${table.program}'s pod`;
  return new WeftError(
    'E_CONFIG_UNKNOWN',
    `${variable} is set by Kubernetes for a Service, not by you`,
    remedy,
  );
}

/** `, or did you mean …` where a setting's name is at most two edits away. */
function orNearest(table: SettingTable, name: string, format: (name: string) => string): string {
  const nearest = Object.keys(table.settings)
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

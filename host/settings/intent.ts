import type { WeftError } from '../../base/weft-error.ts';
import type { SettingTable } from './setting.ts';
import { givenInEnvironment, givenOnCommandLine } from './setting-sources.ts';

/** What the user of a program wants. `refuse` holds every fault found, at least one, in the order of the sources. */
export type Intent<Config> =
  | { readonly action: 'run'; readonly config: Config }
  | { readonly action: 'help' }
  | { readonly action: 'version' }
  | { readonly action: 'refuse'; readonly faults: readonly WeftError[] };

/** What the settings of a program are read from. */
export interface IntentInput {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  /** The config file's text where one was asked for (see {@link configFileAsked}), or why it cannot be read. */
  readonly file?: { readonly path: string; readonly text: string } | WeftError;
}

/** The path of the config file that `--config` or the variable of the table's prefix, as `WEFT_CONFIG`, asks for. */
export function configFileAsked<Name extends string>(
  table: SettingTable<Name>,
  { argv, env }: Pick<IntentInput, 'argv' | 'env'>,
): string | undefined {
  return givenOnCommandLine(table, argv, []).configFile ?? givenInEnvironment(table, env, []).configFile;
}

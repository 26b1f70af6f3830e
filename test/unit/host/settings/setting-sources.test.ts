import { deepEqual } from 'node:assert/strict';
import type { WeftError } from '../../../../base/weft-error.ts';
import type { SettingTable } from '../../../../host/settings/setting.ts';
import {
  givenInEnvironment,
  givenInFile,
  givenOnCommandLine,
} from '../../../../host/settings/setting-sources.ts';
import { settingsHelp } from '../../../../host/settings/settings-help.ts';

/** The table of some program that is not weftd. */
const TABLE: SettingTable<'colour' | 'dry-run' | 'rule'> = {
  program: 'painter',
  prefix: 'PAINT_',
  settings: {
    colour: { kind: 'one', value: 'COLOUR', help: 'the colour' },
    'dry-run': { kind: 'switch', help: 'paint nothing' },
    rule: { kind: 'many', value: 'RULE', help: 'what to keep to' },
  },
};

describe('the sources of settings, for any program', () => {
  const read = <T>(from: (faults: WeftError[]) => T): { readonly given: T; readonly lines: string[] } => {
    const faults: WeftError[] = [];
    const given = from(faults);
    return { given, lines: faults.map(({ line }) => line) };
  };

  it('give the same settings by flag, by variable and by file', () => {
    const flags = read((faults) =>
      givenOnCommandLine(TABLE, ['--colour=red', '--no-dry-run', '--rule', 'a', '--rule', 'b'], faults),
    );
    const env = read((faults) =>
      givenInEnvironment(
        TABLE,
        { PAINT_COLOUR: 'red', PAINT_DRY_RUN: 'false', PAINT_RULE: 'a,b', WEFT_PORT: '1', HOME: '/' },
        faults,
      ),
    );
    const text = JSON.stringify({ colour: 'red', 'dry-run': false, rule: ['a', 'b'] });
    const file = read((faults) => givenInFile(TABLE, { path: '/p.json', text }, faults));
    const expected = { colour: ['red'], 'dry-run': ['false'], rule: ['a', 'b'] };
    for (const given of [flags.given.settings, env.given.settings, file.given])
      deepEqual(Object.fromEntries([...given].map(([name, { texts }]) => [name, texts])), expected);
    deepEqual([...flags.lines, ...env.lines, ...file.lines], []);
  });

  it("speak of faults in the program's own words", () => {
    deepEqual(read((faults) => givenOnCommandLine(TABLE, ['--color', 'x', 'y'], faults)).lines, [
      "unknown flag --color; see 'painter --help', or did you mean --colour?",
      "'y' is not a flag; give settings as flags, see 'painter --help'",
    ]);
    const env = { PAINT_RULES: 'a', PAINT_PORT: 'tcp://10.0.0.1:80' };
    deepEqual(read((faults) => givenInEnvironment(TABLE, env, faults)).lines, [
      'unknown environment variable PAINT_RULES; unset it, or did you mean PAINT_RULE?',
      "PAINT_PORT is set by Kubernetes for a Service, not by you; set enableServiceLinks: false in painter's pod",
    ]);
    const file = { path: '/p.json', text: '{"rule":1}' };
    deepEqual(read((faults) => givenInFile(TABLE, file, faults)).lines, [
      'config file /p.json has a wrong kind of value for "rule"; give a list of texts',
    ]);
  });

  it('are told of in the help', () => {
    const lines = settingsHelp(TABLE, { usage: 'painter [flags]', footer: 'The end.' }).split('\n');
    deepEqual(lines, [
      'Usage: painter [flags]',
      '',
      'Flags:',
      '  --colour COLOUR         the colour',
      '  --[no-]dry-run          paint nothing',
      '  --rule RULE             what to keep to; may be repeated',
      '  --config FILE           read settings from a JSON file',
      '  --version, --help       print that and exit',
      '',
      'The end.',
      '',
    ]);
  });
});

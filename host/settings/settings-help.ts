import type { Setting, SettingTable } from './setting.ts';

const HELP_COLUMN = 26;
const HELP_WIDTH = 110;

/** What `--help` prints: how the program is used, all settings of the table, and what a reader should know of them. */
export function settingsHelp(
  table: SettingTable,
  texts: { readonly usage: string; readonly footer: string },
): string {
  const lines = [`Usage: ${texts.usage}`, '', 'Flags:'];
  for (const [name, setting] of Object.entries<Setting>(table.settings)) {
    const flag = setting.kind === 'switch' ? `--[no-]${name}` : `--${name} ${setting.value}`;
    lines.push(...entry(flag, setting.help + (setting.kind === 'many' ? '; may be repeated' : '')));
  }
  lines.push(...entry('--config FILE', 'read settings from a JSON file'));
  lines.push(...entry('--version, --help', 'print that and exit'), '', texts.footer);
  return `${lines.join('\n')}\n`;
}

/** One entry of the help, its text wrapped into the right-hand column. */
function entry(flag: string, help: string): string[] {
  const lines: string[] = [];
  let line = `  ${flag}`.padEnd(HELP_COLUMN - 1);
  if (line.length >= HELP_COLUMN) {
    lines.push(line);
    line = ' '.repeat(HELP_COLUMN - 1);
  }
  for (const word of help.split(' ')) {
    if (line.length + 1 + word.length > HELP_WIDTH) {
      lines.push(line);
      line = ' '.repeat(HELP_COLUMN - 1);
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

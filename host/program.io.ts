import { WeftError } from '../base/weft-error.ts';
import type { Intent } from './settings/intent.ts';
import { ownVersion } from './version.io.ts';

/** What a program does with each {@link Intent} but to tell its version and faults. */
interface Program<Config> {
  /** `weftd` */
  readonly name: string;
  readonly help: () => string;
  readonly run: (config: Config) => Promise<void>;
}

/** Does what the user wants. Exit status: 1 a fault of the environment, 2 of the settings. */
export async function runProgram<Config>(
  { name, help, run }: Program<Config>,
  intent: Intent<Config>,
): Promise<void> {
  switch (intent.action) {
    case 'help':
      process.stdout.write(help());
      break;
    case 'version':
      process.stdout.write(`${ownVersion()}\n`);
      break;
    case 'refuse':
      for (const fault of intent.faults) complain(name, fault);
      process.exitCode = 2;
      break;
    case 'run':
      await run(intent.config).catch((error: unknown) => endProgram(name, error));
  }
}

/** Ends the process for an error that it cannot go on with. */
export function endProgram(name: string, error: unknown): never {
  complain(name, error);
  process.exit(1);
}

/** One line; a bug of ours gets its stack too. */
function complain(name: string, error: unknown): void {
  if (error instanceof WeftError) process.stderr.write(`${name}: ${error.line}\n`);
  else process.stderr.write(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
}

import { WeftError } from '../base/weft-error.ts';
import { loadConfig } from './config.io.ts';
import { type Config, helpText } from './config.ts';
import { Daemon } from './daemon.io.ts';
import { stderrLog } from './log.io.ts';
import { ownVersion } from './version.io.ts';

/** The entry point of `weftd`. Exit status: 0 ended by a signal, 1 a fault of the environment, 2 of the settings. */

const intent = loadConfig(process.argv.slice(2), process.env);
switch (intent.action) {
  case 'help':
    process.stdout.write(helpText());
    break;
  case 'version':
    process.stdout.write(`${ownVersion()}\n`);
    break;
  case 'refuse':
    for (const fault of intent.faults) complain(fault);
    process.exitCode = 2;
    break;
  case 'run':
    await run(intent.config);
}

async function run(config: Config): Promise<void> {
  const log = stderrLog({ level: config.logLevel, format: config.logFormat });
  try {
    const daemon = await Daemon.start(config, log, (error) => {
      complain(error);
      process.exit(1);
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void daemon.stop().then(() => process.exit(0)));
    }
  } catch (error) {
    complain(error);
    process.exit(1);
  }
}

/** One line; a bug of ours gets its stack too. */
function complain(error: unknown): void {
  if (error instanceof WeftError) process.stderr.write(`weftd: ${error.line}\n`);
  else process.stderr.write(`weftd: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
}

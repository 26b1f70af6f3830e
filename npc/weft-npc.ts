import { WeftError } from '../base/weft-error.ts';
import { stderrLog } from '../host/log.io.ts';
import { ownVersion } from '../host/version.io.ts';
import { Npc } from './npc.io.ts';
import { loadNpcConfig } from './settings/npc-config.io.ts';
import { type NpcConfig, npcHelpText } from './settings/npc-config.ts';

/** The entry point of `weft-npc`. Exit status: 0 ended by a signal, 1 a fault of the environment, 2 of the settings. */

const intent = loadNpcConfig(process.argv.slice(2), process.env);
switch (intent.action) {
  case 'help':
    process.stdout.write(npcHelpText());
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

async function run(config: NpcConfig): Promise<void> {
  const log = stderrLog({ level: config.logLevel, format: config.logFormat });
  try {
    const npc = await Npc.open(config, log, end);
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => void npc.close().then(() => process.exit(0)));
    await npc.run();
  } catch (error) {
    end(error);
  }
}

function end(error: unknown): never {
  complain(error);
  process.exit(1);
}

/** One line; a bug of ours gets its stack too. */
function complain(error: unknown): void {
  if (error instanceof WeftError) process.stderr.write(`weft-npc: ${error.line}\n`);
  else process.stderr.write(`weft-npc: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
}

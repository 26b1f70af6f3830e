import { stderrLog } from '../host/log.io.ts';
import { endProgram, runProgram } from '../host/program.io.ts';
import { loadIntent } from '../host/settings/load-intent.io.ts';
import { Npc } from './npc.io.ts';
import { type NpcConfig, npcHelpText, readNpcConfig } from './settings/npc-config.ts';
import { NPC_SETTING_TABLE } from './settings/npc-settings.ts';

/** The entry point of `weft-npc`. Exit status: 0 ended by a signal, 1 a fault of the environment, 2 of the settings. */

const intent = loadIntent(NPC_SETTING_TABLE, readNpcConfig, {
  argv: process.argv.slice(2),
  env: process.env,
});
await runProgram({ name: 'weft-npc', help: npcHelpText, run }, intent);

async function run(config: NpcConfig): Promise<void> {
  const log = stderrLog({ level: config.logLevel, format: config.logFormat });
  const npc = await Npc.open(config, log, (error) => endProgram('weft-npc', error));
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void npc.close().then(() => process.exit(0)));
  await npc.run();
}

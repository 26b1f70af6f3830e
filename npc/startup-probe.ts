import { askNpc } from '../control/ask-npc.io.ts';
import { ownProcess } from '../host/own-process.io.ts';

/**
 * The startup probe of the container `weft-npc`: exit status 0 once the weft-npc that serves this node is this
 * container's own. During a rollout the last pod's serves first, and answers the HTTP probes of both.
 */
const runDir = process.env.WEFT_NPC_RUN_DIR ?? '/run/weft';
const served = await askNpc(runDir, { op: 'process' }, { timeoutMs: 3_000 }).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
});
if (served?.pidNamespace !== ownProcess().pidNamespace) {
  if (served !== undefined) process.stderr.write('another weft-npc serves this node\n');
  process.exitCode = 1;
}

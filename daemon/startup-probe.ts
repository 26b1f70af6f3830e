import { askDaemon } from '../control/control-client.io.ts';
import { ownProcess } from '../host/own-process.io.ts';
import { DEFAULT_RUN_DIR } from './settings/config.ts';

/**
 * The startup probe of the container `weft`: exit status 0 once the weftd that serves this node is this container's
 * own. During a rollout the last pod's weftd serves first, and answers the HTTP probes of both; so those say nothing of
 * a new pod until it has taken over.
 */
const runDir = process.env.WEFT_RUN_DIR ?? DEFAULT_RUN_DIR;
const served = await askDaemon(runDir, { op: 'process' }, { timeoutMs: 3_000 }).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
});
if (served?.pidNamespace !== ownProcess().pidNamespace) {
  if (served !== undefined) process.stderr.write('another weftd serves this node\n');
  process.exitCode = 1;
}

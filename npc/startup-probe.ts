import { askNpc } from '../control/ask-npc.io.ts';
import { PROBE_TIMEOUT_MS, startupProbe } from '../control/startup-probe.io.ts';

/** The startup probe of the container `weft-npc`. */
const runDir = process.env.WEFT_NPC_RUN_DIR ?? '/run/weft';
await startupProbe('weft-npc', askNpc(runDir, { op: 'process' }, { timeoutMs: PROBE_TIMEOUT_MS }));

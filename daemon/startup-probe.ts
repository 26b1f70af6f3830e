import { askDaemon } from '../control/control-client.io.ts';
import { PROBE_TIMEOUT_MS, startupProbe } from '../control/startup-probe.io.ts';
import { DEFAULT_RUN_DIR } from './settings/config.ts';

/** The startup probe of the container `weft`. */
const runDir = process.env.WEFT_RUN_DIR ?? DEFAULT_RUN_DIR;
await startupProbe('weftd', askDaemon(runDir, { op: 'process' }, { timeoutMs: PROBE_TIMEOUT_MS }));

import { type Warning, warningOfError } from '../base/warning.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import { readPolicyCounters } from '../linux/policy-gate.io.ts';

/** weftd is waited for so long where somebody asks how things stand. */
const WEFTD_MS = 1_000;

/** What the kernel counts of policies, by name; nothing where there is no table, or a warning where it cannot be read. */
export interface KernelCounts {
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly Warning[];
}

export async function kernelCounters(): Promise<KernelCounts> {
  try {
    return { counts: (await readPolicyCounters()) ?? {}, warnings: [] };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return { counts: {}, warnings: [warningOfError(error)] };
  }
}

/** How long starts of pods have waited, all together, in ms; null where weftd does not say. */
export async function addsWaited(runDir: string): Promise<number | null> {
  try {
    const { policy } = await askDaemon(runDir, { op: 'status' }, { timeoutMs: WEFTD_MS });
    return policy?.waitedMs ?? null;
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return null;
  }
}

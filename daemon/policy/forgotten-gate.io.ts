import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../../base/weft-error.ts';
import { askDaemon } from '../../control/control-client.io.ts';
import type { Log } from '../../host/log.ts';
import type { Config } from '../settings/config.ts';
import { removeGate } from './gate-removal.io.ts';

/** A successor that was not heard within this has failed, or is asked in vain. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 250;
/** Of one question. A successor that knows it answers at once, for no revision is the present one. */
const ANSWER_MS = 5_000;

/**
 * For a weftd with a gate that has made room: where its successor is of a version that knows no gate, nobody would let the
 * pods through that it attaches, so the gate is removed. A successor that knows it keeps it, or removes it itself.
 */
export async function removeForgottenGate(config: Pick<Config, 'runDir'>, log: Log): Promise<void> {
  const { runDir } = config;
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (performance.now() < giveUpAt) {
    await delay(PAUSE_MS, undefined, { ref: false });
    const verdict = await knowsGate(runDir);
    if (verdict === undefined) continue;
    if (verdict) return;
    try {
      await removeGate(runDir);
      log.info('the weftd that serves now knows no gate for policies; removed it');
      return;
    } catch (error) {
      log.warn('the gate for policies cannot be removed', { fault: String(error) });
    }
  }
}

/** Undefined where nobody answers. */
async function knowsGate(runDir: string): Promise<boolean | undefined> {
  try {
    const question = { op: 'policyWait', revision: '', complete: false } as const;
    await askDaemon(runDir, question, { timeoutMs: ANSWER_MS });
    return true;
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    if (error.code === 'E_BAD_REQUEST') return false;
    return error.code === 'E_NO_POLICY' || error.code === 'E_BUSY' ? true : undefined;
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { CniPlugin } from '../cni/plugin.ts';
import type { LocalSocket } from '../native/local-socket.ts';

/** How long a weftd that goes waits for calls that are under way. */
export const LAST_CALLS_PATIENCE_MS = {
  /** After SIGTERM. A call cut off gets code 11, a DEL is spooled. */
  beforeEnd: 2_000,
  /** Before a successor takes over: packets flow meanwhile, and nobody waits for us to end. */
  beforeSuccessor: 10_000,
} as const;

/** Between two looks whether somebody is still to be heard. */
const LOOK_MS = 1;

/**
 * Removes the control socket's name, and resolves when all who came before have been heard and all calls of the CNI
 * plugin are answered, or after `patienceMs`. A shim connects a moment before it sends, so that it may be one of those
 * although nothing is under way.
 */
export async function answerLastCalls(
  control: Pick<LocalSocket, 'hide' | 'unheard'>,
  plugin: Pick<CniPlugin, 'settled'>,
  patienceMs: number,
): Promise<void> {
  control.hide();
  const giveUpAt = performance.now() + patienceMs;
  const patience = delay(patienceMs, undefined, { ref: false });
  do await delay(LOOK_MS);
  while (control.unheard > 0 && performance.now() < giveUpAt);
  await Promise.race([plugin.settled(), patience]);
}

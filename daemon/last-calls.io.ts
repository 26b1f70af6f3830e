import { setTimeout as delay } from 'node:timers/promises';
import type { CniPlugin } from '../cni/plugin.ts';
import type { LocalSocket } from '../native/local-socket.ts';

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

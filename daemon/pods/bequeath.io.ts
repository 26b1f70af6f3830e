import { setTimeout as delay } from 'node:timers/promises';
import { handedPod } from '../../cni/handed-pod.ts';
import { encodeMessage, frame } from '../../control/control-protocol.ts';
import { sendToLocalSocket } from '../../native/local-socket.ts';
import type { Bequest } from './held-pods.io.ts';

/** How long the next weftd may take until it listens. It has the node's state by then, and most are quick. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 50;

/**
 * Hands pods over to whichever weftd serves RUN_DIR next, this process included. Resolves when all were sent, or nobody has
 * come; they are closed then. A weftd that does not know what it is given closes it. Rejects for nothing.
 */
export async function bequeath(bequests: readonly Bequest[], runDir: string): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (const { held, fds, close } of bequests) {
    const message = frame(encodeMessage({ op: 'holdPod', pod: handedPod(held) }));
    while (sendToLocalSocket(`${runDir}/weft.sock`, message, fds) !== 0 && performance.now() < giveUpAt)
      await delay(LOOK_MS, undefined, { ref: false });
    close();
  }
}

import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../base/weft-error.ts';
import { askNpc } from '../control/ask-npc.io.ts';
import { fileFault } from '../host/durable-file.io.ts';
import type { Log } from '../host/log.ts';
import { FileLock } from '../native/file-lock.ts';

/** Between two looks at the lock while the holder ends its work. */
const CLOSE_LOOK_MS = 10;
/** Between two requests to a holder that does not make room, or does not answer. */
const FAR_LOOK_MS = 1_000;
/** A successor has this long to take the lock; then the holder that made room takes it back. */
const HEAD_START_MS = 3_000;

/** The lock of a state folder, which says who writes the rules of this node. Made where the folder is missing. */
export function takeNodeLock(stateDir: string): FileLock | undefined {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw fileFault(stateDir, 'cannot be made a folder', cause, 'E_STATE_DIR');
  }
  return FileLock.take(`${stateDir}/lock`);
}

/**
 * Takes the lock from the weft-npc that serves this node, which is asked to make room. Only who could serve at once may
 * call this. Resolves once the lock is ours; with undefined once `signal` has aborted.
 */
export async function succeed(
  { stateDir, runDir }: { readonly stateDir: string; readonly runDir: string },
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<FileLock | undefined> {
  let askAt = 0;
  while (!signal.aborted) {
    const lock = takeNodeLock(stateDir);
    if (lock !== undefined) return lock;
    if (performance.now() >= askAt) {
      const yields = await askToYield(runDir, log);
      askAt = performance.now() + FAR_LOOK_MS;
      if (!yields) {
        await delay(FAR_LOOK_MS, undefined, { signal }).catch(() => {});
        continue;
      }
    }
    await delay(CLOSE_LOOK_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/**
 * For one that made room: resolves with the lock once nobody holds it any more, be it that the successor took it and
 * let it go, or that it took too long; with undefined once `signal` has aborted.
 */
export async function takeBack(stateDir: string, signal: AbortSignal): Promise<FileLock | undefined> {
  await delay(HEAD_START_MS, undefined, { signal }).catch(() => {});
  while (!signal.aborted) {
    const lock = takeNodeLock(stateDir);
    if (lock !== undefined) return lock;
    await delay(FAR_LOOK_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

async function askToYield(runDir: string, log: Log): Promise<boolean> {
  try {
    await askNpc(runDir, { op: 'yield' });
    log.info('the weft-npc that serves this node makes room');
    return true;
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    log.info('waiting for the weft-npc that serves this node', { fault: error.line }, 'stays');
    return false;
  }
}

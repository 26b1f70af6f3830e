import { setTimeout as delay } from 'node:timers/promises';
import { hex } from '../base/bytes.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { Log } from '../host/log.ts';
import type { Config } from './settings/config.ts';
import {
  isLocked,
  openStateFolder,
  type StateFolder,
  type StateFolderOptions,
} from './state/state-folder.io.ts';

/** How long the one before may take to end. It lets CNI calls that are under way come to their end first. */
const PATIENCE_MS = 30_000;
/** Between two looks at the lock: while the one before ends, every moment is one without traffic. */
const CLOSE_LOOK_MS = 5;
const FAR_LOOK_MS = 100;
/** Between two requests to one that stays for a while. */
const STAYS_LOOK_MS = 5_000;
/** A successor has this long to take the folder; meanwhile the one that made room only looks whether it failed. */
const HEAD_START_MS = 3_000;
const STAND_BY_LOOK_MS = 250;
/** Looks at which the folder was held until it counts as taken: another one that stands by holds it for an instant. */
const LOOKS_TAKEN = 2;

/**
 * Opens the state folder of this node. Where another weftd serves the node and both share it (`--take-over`), that one
 * is asked to make room, as late as can be: all that needs no folder should be done before. `returned`: this one made
 * room itself before, and takes the folder only if it is free.
 *
 * Where a successor has just failed there, it waits until the other one makes room again.
 *
 * Rejects as {@link openStateFolder} throws, and with what the other one refuses with ({@link HandoverPolicy}).
 */
export async function takeStateFolder(
  config: Pick<Config, 'stateDir' | 'runDir' | 'takeOver'>,
  options: StateFolderOptions & { readonly log: Log; readonly returned: boolean },
): Promise<StateFolder> {
  let giveUpAt = performance.now() + PATIENCE_MS;
  let answer: YieldAnswer = 'silent';
  for (;;) {
    try {
      return openStateFolder(config.stateDir, options);
    } catch (error) {
      const locked = error instanceof WeftError && error.code === 'E_STATE_LOCKED';
      if (!locked || !config.takeOver || options.returned || performance.now() > giveUpAt) throw error;
    }
    if (answer !== 'yields') answer = await askToYield(config.runDir, options);
    if (answer === 'stays') giveUpAt = performance.now() + PATIENCE_MS;
    await delay(LOOK_MS_BY_ANSWER[answer]);
  }
}

/**
 * Resolves when no weftd holds the state folder, so that the one that stands by has to serve again: a successor took it
 * and let it go, or came too late.
 */
export async function untilVacant(stateDir: string): Promise<void> {
  const headStartEndsAt = performance.now() + HEAD_START_MS;
  for (let held = 0; ; ) {
    const early = performance.now() < headStartEndsAt;
    if (isLocked(stateDir)) held++;
    else if (held >= LOOKS_TAKEN || !early) return;
    await delay(early ? CLOSE_LOOK_MS : STAND_BY_LOOK_MS);
  }
}

/**
 * What the weftd that serves does. `silent`: nobody answers, it is starting or ending already. `stays`: only for a while,
 * since a successor has just failed. Rejects with why it stays for good.
 */
type YieldAnswer = 'yields' | 'stays' | 'silent';

const LOOK_MS_BY_ANSWER: Readonly<Record<YieldAnswer, number>> = {
  yields: CLOSE_LOOK_MS,
  silent: FAR_LOOK_MS,
  stays: STAYS_LOOK_MS,
};

async function askToYield(
  runDir: string,
  { clusterId, log }: StateFolderOptions & { readonly log: Log },
): Promise<YieldAnswer> {
  try {
    await askDaemon(runDir, { op: 'yield', cluster: hex(clusterId) });
    log.info('the weftd that serves this node makes room');
    return 'yields';
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    if (error.code === 'E_NO_DAEMON' || error.code === 'E_NO_ANSWER') return 'silent';
    if (error.code !== 'E_TOO_SOON') throw error;
    // To end would only have the kubelet start us again, and hide the log of the one that failed.
    log.warn('waiting for the weftd that serves this node', { fault: error.line }, 'stays');
    return 'stays';
  }
}

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
import { Vacancy } from './vacancy.ts';

/** How long the predecessor may take to let the folder go: it first lets CNI calls that are under way end. */
const PATIENCE_MS = 30_000;
/** Between two looks at the lock while the predecessor ends: until the lock is ours no packet is carried. */
const CLOSE_LOOK_MS = 5;
const FAR_LOOK_MS = 100;
/** Between two requests to a predecessor that stays for a while. */
const STAYS_LOOK_MS = 5_000;
/** A successor has this long to take the folder. Until then its predecessor only looks whether the successor failed. */
const HEAD_START_MS = 3_000;
const STAND_BY_LOOK_MS = 250;

/**
 * Opens the state folder of this node. Where another weftd serves the node and both were started with `--take-over`, this
 * one asks the other to make room. The caller does all that needs no folder before. `returned`: this weftd made room
 * itself before, and takes the folder only if it is free.
 *
 * If a successor of the other weftd has just failed, this one waits until the other makes room again.
 *
 * Rejects as {@link openStateFolder} throws, and with the error by which the other weftd refuses ({@link HandoverPolicy}).
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
 * Resolves when no weftd holds the state folder: a successor took it and let it go, or took too long. The weftd that
 * stands by then has to serve again.
 */
export async function untilVacant(stateDir: string): Promise<void> {
  const headStartEndsAt = performance.now() + HEAD_START_MS;
  const vacancy = new Vacancy();
  for (;;) {
    const early = performance.now() < headStartEndsAt;
    if (vacancy.looked(isLocked(stateDir), early)) return;
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
    // Ending would only make the kubelet start us again, and the log of the successor that failed would be lost.
    log.warn('waiting for the weftd that serves this node', { fault: error.line }, 'stays');
    return 'stays';
  }
}

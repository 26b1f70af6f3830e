import { setTimeout as delay } from 'node:timers/promises';
import { hex } from '../base/bytes.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { Log } from '../host/log.ts';
import { openRunFolder } from '../host/run-folder.io.ts';
import { FileLock } from '../native/file-lock.ts';
import type { Heir } from './handover/heir.io.ts';
import type { Config } from './settings/config.ts';
import {
  isLocked,
  openStateFolder,
  type StateFolder,
  type StateFolderOptions,
} from './state/state-folder.io.ts';
import { LOOKS_TAKEN, type Look, Vacancy } from './vacancy.ts';

/** How long the predecessor may take to let the folder go: it first lets CNI calls that are under way end. */
const PATIENCE_MS = 30_000;
/** Between two looks at the lock while the predecessor ends: until the lock is ours no packet is carried. */
const CLOSE_LOOK_MS = 5;
const FAR_LOOK_MS = 100;
/** Between two requests to a predecessor that stays for a while. */
const STAYS_LOOK_MS = 5_000;
/** A predecessor that made room lets the folder go within this time. If it is held then, another holds it: ask again. */
const YIELDS_WITHIN_MS = 15_000;
/** A successor has this long to take the folder. Until then its predecessor only looks whether the successor failed. */
const HEAD_START_MS = 3_000;
const STAND_BY_LOOK_MS = 250;

/**
 * Opens the state folder of this node. Where another weftd serves the node and both were started with `--take-over`, this
 * one asks the other to make room. The caller does all that needs no folder before. `returned`: this weftd made room
 * itself before, and takes the folder only if it is free.
 *
 * If a successor of the other weftd has just failed, this one waits until the other makes room again. Successors come one
 * at a time: until this one has the folder, it holds the claim, and others wait for that.
 *
 * Rejects as {@link openStateFolder} and {@link openRunFolder} throw, and with the error by which the other weftd refuses
 * ({@link HandoverPolicy}).
 */
export async function takeStateFolder(
  config: Pick<Config, 'stateDir' | 'runDir' | 'takeOver'>,
  options: StateFolderOptions & { readonly log: Log; readonly returned: boolean; readonly heir: Heir },
): Promise<StateFolder> {
  if (!config.takeOver || options.returned) return openStateFolder(config.stateDir, options);
  const { heir } = options;
  openRunFolder(config.runDir);
  const claim = await takeClaim(config.runDir, options.log);
  try {
    heir.listen();
    const folder = await succeed(config, options);
    await heir.arrived();
    return folder;
  } finally {
    heir.stopListening();
    claim.release();
  }
}

/**
 * The lock that a successor holds from before it asks for the folder until it has it. Who stands by sees by it that the
 * folder is about to be taken. It lies in the run folder, since the state folder may be on a full disk.
 */
function claimFile(runDir: string): string {
  return `${runDir}/successor`;
}

async function takeClaim(runDir: string, log: Log): Promise<FileLock> {
  for (let looks = 1; ; looks++) {
    const claim = FileLock.take(claimFile(runDir));
    if (claim !== undefined) return claim;
    // One that stands by holds it for an instant.
    if (looks === LOOKS_TAKEN) log.info('another weftd is about to serve this node; waiting for it');
    await delay(FAR_LOOK_MS);
  }
}

async function succeed(
  config: Pick<Config, 'stateDir' | 'runDir'>,
  options: StateFolderOptions & { readonly log: Log; readonly heir: Heir },
): Promise<StateFolder> {
  let giveUpAt = performance.now() + PATIENCE_MS;
  let answer: YieldAnswer = 'silent';
  let askAgainAt = 0;
  for (;;) {
    try {
      return openStateFolder(config.stateDir, options);
    } catch (error) {
      const locked = error instanceof WeftError && error.code === 'E_STATE_LOCKED';
      if (!locked || performance.now() > giveUpAt) throw error;
    }
    if (answer !== 'yields' || performance.now() > askAgainAt) {
      answer = await askToYield(config.runDir, options);
      askAgainAt = performance.now() + YIELDS_WITHIN_MS;
    }
    if (answer === 'stays') giveUpAt = performance.now() + PATIENCE_MS;
    await delay(LOOK_MS_BY_ANSWER[answer]);
  }
}

/**
 * Resolves when no weftd holds the state folder, and no successor is about to take it: a successor took it and let it go,
 * or took too long. The weftd that stands by then has to serve again. `onHeld`: another weftd was seen to hold it.
 */
export async function untilVacant(
  config: Pick<Config, 'stateDir' | 'runDir'>,
  onHeld: () => void = () => undefined,
): Promise<void> {
  const headStartEndsAt = performance.now() + HEAD_START_MS;
  const vacancy = new Vacancy();
  for (;;) {
    const early = performance.now() < headStartEndsAt;
    const seen = look(config);
    if (seen === 'held') onHeld();
    if (vacancy.looked(seen, early)) return;
    await delay(early ? CLOSE_LOOK_MS : STAND_BY_LOOK_MS);
  }
}

function look({ stateDir, runDir }: Pick<Config, 'stateDir' | 'runDir'>): Look {
  if (isLocked(stateDir)) return 'held';
  return isClaimed(runDir) ? 'claimed' : 'free';
}

/** False, too, where the run folder is gone: who stands by goes by the state folder alone then. */
function isClaimed(runDir: string): boolean {
  try {
    return FileLock.isHeld(claimFile(runDir));
  } catch {
    return false;
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
  { clusterId, log, heir }: StateFolderOptions & { readonly log: Log; readonly heir: Heir },
): Promise<YieldAnswer> {
  try {
    const request = { op: 'yield', cluster: hex(clusterId) } as const;
    const offering = heir.listens ? { ...request, datapath: heir.offer } : request;
    const answer = await askDaemon(runDir, offering).catch((error: unknown) => {
      // An older weftd refuses what it does not know.
      if (error instanceof WeftError && error.code === 'E_BAD_REQUEST') return askDaemon(runDir, request);
      throw error;
    });
    if (answer.datapath !== undefined) heir.promised();
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

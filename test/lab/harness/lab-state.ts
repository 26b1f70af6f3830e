import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Cni } from './lab-node.ts';
import type { MachineState } from './machine.ts';
import { RUN_FOLDER } from './paths.ts';
import { identify, isAlive, type ProcessId } from './process-id.ts';

const FILE = `${RUN_FOLDER}/state.json`;

/** What a lab is made of, on disk: enough for another process to go on with it, or to take it down. */
export interface LabState {
  readonly version: 1;
  readonly cni: Cni;
  /** The process that brings it up, while it does. */
  owner?: ProcessId;
  /** Number in the name of the next node. */
  nextNode: number;
  machines: MachineState[];
}

/** What the caller can put right; its message says how, and no stack is needed. */
export class LabError extends Error {}

/** Begins a lab. Throws where there is one, or what a crash left of one. */
export function createState(cni: Cni): LabState {
  mkdirSync(RUN_FOLDER, { recursive: true });
  const state: LabState = { version: 1, cni, owner: identify(process.pid)!, nextNode: 1, machines: [] };
  try {
    writeFileSync(FILE, JSON.stringify(state), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new LabError('a lab is up already, or a crash left one: take it down first (npm run lab:down)');
  }
  return state;
}

/** Writes it down anew; no reader sees half of it. */
export function saveState(state: LabState): void {
  writeFileSync(`${FILE}.new`, JSON.stringify(state, undefined, 1));
  renameSync(`${FILE}.new`, FILE);
}

/** The lab of this checkout, or undefined where there is none. */
export function readState(): LabState | undefined {
  if (!existsSync(FILE)) return undefined;
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as LabState;
  } catch {
    return undefined; // the crash of its first writer
  }
}

/** Process id of whoever brings a lab up right now, other than ourselves. */
export function ownerAtWork(): number | undefined {
  const owner = readState()?.owner;
  return owner !== undefined && owner.pid !== process.pid && isAlive(owner) ? owner.pid : undefined;
}

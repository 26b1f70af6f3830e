import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../../cluster/command.ts';

/** A process that cannot be mistaken: its id is another's when its start time is. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since the machine's start, field 22 of /proc/PID/stat. */
  readonly startTime: number;
}

/** The process with this id now, or undefined where there is none, or only what its parent has not taken in. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statOf(pid);
  return fields === undefined || fields.state === 'Z' ? undefined : { pid, startTime: fields.startTime };
}

/** Whether it still runs. */
export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.startTime === id.startTime;
}

/** Sends a signal to exactly this process; does nothing where it has ended. */
export function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Sends a signal and waits until the process is gone. */
export async function end(
  id: ProcessId,
  name: NodeJS.Signals = 'SIGKILL',
  timeoutMs = 20_000,
): Promise<void> {
  signal(id, name);
  await until(`process ${id.pid} to end`, () => !isAlive(id), { timeoutMs });
}

/** All process ids of this moment. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The processes whose parent is `pid`. */
export function childrenOf(pid: number): ProcessId[] {
  return allPids().flatMap((each) => {
    const fields = statOf(each);
    return fields?.parent === pid && fields.state !== 'Z' ? [{ pid: each, startTime: fields.startTime }] : [];
  });
}

/** Its arguments, the program's name first; none where it is gone. */
export function commandLine(pid: number): string[] {
  return read(pid, 'cmdline')?.split('\0').slice(0, -1) ?? [];
}

function statOf(pid: number): { state: string; parent: number; startTime: number } | undefined {
  const text = read(pid, 'stat');
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name before it may hold anything
  return { state: fields[0]!, parent: Number(fields[1]), startTime: Number(fields[19]) };
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc/PID/stat, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What a process has used up to now. */
export interface ProcessFigures {
  /** When this was read, by performance.now(). */
  readonly at: number;
  readonly cpuSeconds: number;
  readonly residentMegabytes: number;
  /** Resident, with its share only of the pages that other processes have mapped too. */
  readonly proportionalMegabytes: number;
  /** How often its threads waited and were woken again. */
  readonly wakeUps: number;
}

export function processFigures(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  // The name in parentheses may hold spaces; what follows it are the fields from the third on.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const threads = readdirSync(`/proc/${pid}/task`);
  const wakeUps = threads.reduce((sum, thread) => {
    return sum + field(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'), 'voluntary_ctxt_switches');
  }, 0);
  return {
    at: performance.now(),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    residentMegabytes: field(status, 'VmRSS') / 1024,
    proportionalMegabytes: field(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss') / 1024,
    wakeUps,
  };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1]);
}

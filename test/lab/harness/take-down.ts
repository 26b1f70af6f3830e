import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { until } from '../../cluster/command.ts';
import { MACHINE_INIT } from './machine.ts';
import { BIN, CGROUP, RUN_FOLDER } from './paths.ts';
import { allPids, commandLine, identify, type ProcessId, signal } from './process-id.ts';

const CGROUPS = '/sys/fs/cgroup';

/**
 * Removes this checkout's lab, in whatever state it is: also what a crash left, with no state file or a wrong one. The
 * machines are known by the exact command line of their first process, and with that process goes all that is in them.
 */
export async function takeDown(): Promise<void> {
  for (const id of machineProcesses()) signal(id, 'SIGKILL');
  await until('all machines of the lab to end', () => machineProcesses().length === 0, { timeoutMs: 30_000 });
  await removeCgroups(CGROUP);
  rmSync(RUN_FOLDER, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  await until('the lab to be gone', () => nothingLeft(), { timeoutMs: 10_000, everyMs: 50 });
}

/** What is left of this checkout's lab, one line each: nothing after {@link takeDown}. */
export function leftovers(): string[] {
  const processes = allPids()
    .filter((pid) => pid !== process.pid && identify(pid) !== undefined && isOfLab(pid))
    .map((pid) => `process ${pid}: ${commandLine(pid).join(' ')}`);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(RUN_FOLDER))
    .map((line) => `mount ${line}`);
  const cgroups = cgroupFolders(CGROUP).map((path) => `cgroup ${path}`);
  const folders = existsSync(RUN_FOLDER) ? [`folder ${RUN_FOLDER}`] : [];
  return [...processes, ...mounts, ...cgroups, ...folders];
}

/** Removes a cgroup of the lab and all beneath it, in every hierarchy. Its processes have ended. */
export async function removeCgroups(name: string): Promise<void> {
  const gone = (): boolean => {
    for (const path of cgroupFolders(name)) removeTree(path);
    return cgroupFolders(name).length === 0;
  };
  await until(`cgroups ${name} to be empty`, gone, { timeoutMs: 10_000, everyMs: 50 });
}

/** First processes of the machines, and the `unshare` that waits for each. */
function machineProcesses(): ProcessId[] {
  return allPids().flatMap((pid) => {
    const argv = commandLine(pid);
    const at = argv.indexOf(MACHINE_INIT);
    const ours = at > 0 && argv[at + 1]?.startsWith(`${RUN_FOLDER}/`) === true;
    const id = ours ? identify(pid) : undefined;
    return id === undefined ? [] : [id];
  });
}

/** Whether a process is one of the lab's programs, or in one of its containers. */
function isOfLab(pid: number): boolean {
  try {
    if (commandLine(pid).includes(MACHINE_INIT)) return true;
    if (readlinkSync(`/proc/${pid}/exe`).startsWith(`${BIN}/`)) return true;
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/${CGROUP}`);
  } catch {
    return false; // gone meanwhile, or a thread of the kernel
  }
}

function nothingLeft(): boolean {
  const left = leftovers();
  if (left.length > 0) throw new Error(left.join('; '));
  return true;
}

/** Where a cgroup is: under one mount (version 2), or under one for each controller (version 1). */
function cgroupFolders(name: string): string[] {
  const hierarchies = existsSync(`${CGROUPS}/cgroup.procs`) ? [''] : readdirSync(CGROUPS);
  return hierarchies.map((each) => `${CGROUPS}/${each}/${name}`).filter((path) => existsSync(path));
}

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(`${path}/${entry.name}`);
  }
  try {
    rmdirSync(path);
  } catch {
    // Its last process is still ending: the caller asks again.
  }
}

import { once } from 'node:events';
import { type Dirent, existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { WeftError } from '../base/weft-error.ts';
import { isHostLinkName } from '../cni/host-link-name.ts';
import { removeGround } from '../ground/host-kernel.io.ts';
import { removePolicyTable } from '../linux/policy-gate.io.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { FileLock } from '../native/file-lock.ts';
import { OWN_LINKS } from './own-links.ts';

/** Where a node's Weft has left something. */
export interface ResetOptions {
  readonly stateDir: string;
  readonly runDir: string;
  /** Of weft-npc. */
  readonly npcStateDir: string;
  /** The runtime's network configuration; undefined: none was written. */
  readonly cniConfig: string | undefined;
  /** The executable that the runtime calls; undefined: leave it. */
  readonly plugin: string | undefined;
}

/** What a weftd keeps in its state folder, and in its run folder. Nothing else is removed from either. */
const STATE_FILES =
  /^(lock|cluster|epoch|identity|version|retired|kubernetes\.json|weft\.db(-wal|-shm|-journal)?)(\.weft-new)?$/;
const isStateFile = (entry: Dirent): boolean => !entry.isDirectory() && STATE_FILES.test(entry.name);
const RUN_FOLDERS = ['deletions', 'pods'];
const RUN_FILES = ['weft.sock', 'weft-npc.sock', 'policy-gate', 'successor', 'heir.sock', 'rules'];
const NPC_STATE_FILES = /^(lock|governed\.json)(\.weft-new)?$/;
const isNpcStateFile = (entry: Dirent): boolean => !entry.isDirectory() && NPC_STATE_FILES.test(entry.name);
const isRunFile = (entry: Dirent): boolean =>
  (entry.isDirectory() ? RUN_FOLDERS : RUN_FILES).includes(entry.name);

/**
 * Leaves the host as it was before Weft: pods lose their network, the node its identity, its addresses and its part
 * of the ring; `weft rmpeer` on another node gives that part to somebody. Kernel settings stay, others may rely on
 * them. Resolves with what was removed, in words. Repeating it finds nothing.
 *
 * Throws E_STATE_LOCKED while a weftd or a weft-npc runs on its state folder, E_SOCKET_TAKEN while a weftd serves this
 * run folder; nothing is removed then.
 */
export async function resetNode(options: ResetOptions): Promise<string[]> {
  const { stateDir, runDir, npcStateDir, cniConfig, plugin } = options;
  const locks: FileLock[] = [];
  const removed: string[] = [];
  try {
    for (const [folder, program] of [
      [stateDir, 'weftd'],
      [npcStateDir, 'weft-npc'],
    ] as const)
      if (existsSync(`${folder}/lock`)) locks.push(lockOf(folder, program));
    if (await isServed(`${runDir}/weft.sock`)) throw served(runDir);
    // First what tells a runtime to call us, so that nothing comes meanwhile.
    if (cniConfig !== undefined && isOurs(cniConfig)) removeFile(cniConfig, removed);
    if (plugin !== undefined) removeFile(plugin, removed);
    const client = RouteClient.open();
    try {
      const links = await removeGround(client, OWN_LINKS, { pods: isHostLinkName });
      for (const name of links) removed.push(`interface ${name}`);
      await removePolicyTable();
    } finally {
      client.close();
    }
    removeFolder(stateDir, isStateFile, removed);
    removeFolder(npcStateDir, isNpcStateFile, removed);
    removeFolder(runDir, isRunFile, removed);
  } finally {
    for (const lock of locks) lock.release();
  }
  return removed;
}

function lockOf(folder: string, program: string): FileLock {
  const lock = FileLock.take(`${folder}/lock`);
  if (lock !== undefined) return lock;
  const remedy = 'stop it first; on Kubernetes delete the DaemonSet';
  throw new WeftError('E_STATE_LOCKED', `a ${program} runs on state folder ${folder}`, remedy);
}

/** Somebody answers at the socket `path`, whatever state folder it works on. */
async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN'; // its backlog is full
  } finally {
    socket.destroy();
  }
}

function served(runDir: string): WeftError {
  const remedy = 'stop it first; its state folder goes with --state-dir';
  return new WeftError('E_SOCKET_TAKEN', `a weftd serves ${runDir}/weft.sock`, remedy);
}

/** A configuration that names our plugin; anybody else's under that name stays. */
function isOurs(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').includes('"weft-net"');
  } catch {
    return false;
  }
}

function removeFile(path: string, removed: string[]): void {
  if (!existsSync(path)) return;
  rmSync(path);
  removed.push(path);
}

/** What is ours in it, and the folder itself where nothing else is. */
function removeFolder(folder: string, isOurs: (entry: Dirent) => boolean, removed: string[]): void {
  if (!existsSync(folder)) return;
  const ours = readdirSync(folder, { withFileTypes: true }).filter(isOurs);
  for (const { name } of ours) rmSync(`${folder}/${name}`, { recursive: true, force: true });
  try {
    rmdirSync(folder);
    removed.push(folder);
  } catch {
    // Not empty, or a mount point: it stays.
    for (const { name } of ours) removed.push(`${folder}/${name}`);
  }
}

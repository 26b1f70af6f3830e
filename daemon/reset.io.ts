import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';
import { removeHostNetwork } from '../linux/host-network.io.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { RouteClient } from '../linux/route-client.io.ts';
import { FileLock } from '../native/file-lock.ts';

/** Where a node's Weft has left something. */
export interface ResetOptions {
  readonly stateDir: string;
  readonly runDir: string;
  /** The runtime's network configuration; undefined: none was written. */
  readonly cniConfig: string | undefined;
  /** The executable that the runtime calls; undefined: leave it. */
  readonly plugin: string | undefined;
}

const OWN: OwnLinks = { tun: 'weft0', podPrefix: 'wv' };

/** What a weftd keeps in its state folder, and in its run folder. Nothing else is removed from either. */
const STATE_FILES =
  /^(lock|cluster|epoch|identity|version|retired|weft\.db(-wal|-shm|-journal)?)(\.weft-new)?$/;
const RUN_FILES = /^(weft\.sock|deletions)$/;

/**
 * Leaves the host as it was before Weft: pods lose their network, the node its identity, its addresses and its part
 * of the ring; `weft rmpeer` on another node gives that part to somebody. Kernel settings stay, others may rely on
 * them. Resolves with what was removed, in words. Repeating it finds nothing.
 *
 * Throws E_STATE_LOCKED while a weftd runs here; nothing is removed then.
 */
export async function resetNode(options: ResetOptions): Promise<string[]> {
  const { stateDir, runDir, cniConfig, plugin } = options;
  const lock = existsSync(`${stateDir}/lock`) ? lockOf(stateDir) : undefined;
  const removed: string[] = [];
  try {
    // First what tells a runtime to call us, so that nothing comes meanwhile.
    if (cniConfig !== undefined && isOurs(cniConfig)) removeFile(cniConfig, removed);
    if (plugin !== undefined) removeFile(plugin, removed);
    const client = RouteClient.open();
    try {
      const links = (await client.links()).filter(
        ({ name }) => name === OWN.tun || name.startsWith(OWN.podPrefix),
      );
      await removeHostNetwork(client, OWN, { pods: true });
      for (const { name } of links) removed.push(`interface ${name}`);
    } finally {
      client.close();
    }
    removeFolder(stateDir, STATE_FILES, removed);
    removeFolder(runDir, RUN_FILES, removed);
  } finally {
    lock?.release();
  }
  return removed;
}

function lockOf(stateDir: string): FileLock {
  const lock = FileLock.take(`${stateDir}/lock`);
  if (lock !== undefined) return lock;
  const remedy = 'stop it first; on Kubernetes delete the DaemonSet';
  throw new WeftError('E_STATE_LOCKED', `a weftd runs on state folder ${stateDir}`, remedy);
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

/** The files of ours, and the folder itself where nothing else is in it. */
function removeFolder(folder: string, ours: RegExp, removed: string[]): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder))
    if (ours.test(name)) rmSync(`${folder}/${name}`, { recursive: true, force: true });
  if (readdirSync(folder).length === 0) {
    try {
      rmdirSync(folder);
    } catch {
      // A mount point: it stays, empty.
    }
  }
  removed.push(folder);
}

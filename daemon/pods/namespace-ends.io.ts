import { readFileSync, readlinkSync } from 'node:fs';
import type { DescriptorWatch } from '../../native/descriptor-watch.ts';
import { readGoings } from './read-goings.ts';

/** A folder of namespaces, and who waits for which of its names to go. */
interface Folder {
  readonly watch: DescriptorWatch;
  readonly waitingByName: Map<string, Set<() => void>>;
}

/** One wait for the end of a namespace. */
export interface NamespaceEnd {
  /** To be handed on, with the pod. */
  readonly fd: number;
  /** Waits no more. */
  close(): void;
}

/**
 * Tells when the paths of pods' namespaces go, by the descriptors that the shim makes (cni/shim/netns.h). Namespaces of
 * one folder share one inotify instance, of which a host has few (fs.inotify.max_user_instances).
 */
export class NamespaceEnds {
  readonly #folderById = new Map<string, Folder>();
  #paused = false;

  /** From now on what the descriptors tell stays in them, for the next weftd. */
  pause(): void {
    this.#paused = true;
  }

  /**
   * Calls `gone` once when the namespace of that name may have gone. Takes over `end`. Throws where it is no descriptor by
   * which that could be seen; it is closed then.
   */
  await(end: DescriptorWatch, name: string, gone: () => void): NamespaceEnd {
    try {
      const folder = folderOf(end.fd);
      if (folder === undefined) {
        end.start(gone);
        return end;
      }
      return this.#awaitIn(folder, end, name, gone);
    } catch (error) {
      end.close();
      throw error;
    }
  }

  #awaitIn(id: string, end: DescriptorWatch, name: string, gone: () => void): NamespaceEnd {
    const known = this.#folderById.get(id);
    const folder: Folder = known ?? { watch: end, waitingByName: new Map() };
    if (known) end.close();
    else {
      end.start(() => this.#read(id, folder));
      this.#folderById.set(id, folder);
    }
    const { waitingByName, watch } = folder;
    const waiting = waitingByName.get(name) ?? new Set();
    waitingByName.set(name, waiting.add(gone));
    return {
      fd: watch.fd,
      close: () => {
        waiting.delete(gone);
        if (waiting.size === 0 && waitingByName.get(name) === waiting) waitingByName.delete(name);
        if (waitingByName.size > 0 || this.#folderById.get(id) !== folder) return;
        this.#folderById.delete(id);
        watch.close();
      },
    };
  }

  #read(id: string, folder: Folder): void {
    if (this.#paused) return;
    const { watch, waitingByName } = folder;
    let goings: ReturnType<typeof readGoings> = 'all';
    try {
      goings = readGoings(watch.read());
    } catch {
      // Nobody knows what it would have told.
    }
    for (const name of goings === 'all' ? [...waitingByName.keys()] : goings)
      for (const gone of [...(waitingByName.get(name) ?? [])]) gone();
    // Who was told has closed, and the last one the folder.
    if (this.#folderById.get(id) === folder) watch.again();
  }
}

/** The folder that an inotify instance watches; undefined for a process. Throws for any other descriptor. */
function folderOf(fd: number): string | undefined {
  const kind = readlinkSync(`/proc/self/fd/${fd}`);
  if (/^(anon_inode:\[pidfd\]|pidfd:)/.test(kind)) return undefined;
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  const folder = /^inotify wd:\S+ (ino:\S+ sdev:\S+)/m.exec(info)?.[1];
  if (folder === undefined) throw new Error(`${kind} tells of no end`);
  return folder;
}

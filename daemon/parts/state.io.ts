import { type Warning, warningOf } from '../../base/warning.ts';
import type { Log } from '../../host/log.ts';
import { osRandom } from '../../host/os-random.io.ts';
import type { IpamStore } from '../../ipam/model/store.ts';
import { SqliteStore } from '../../ipam/sqlite-store.io.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import { Heir } from '../handover/heir.io.ts';
import type { Inheritance } from '../handover/inheritance.ts';
import { type Config, listenHosts } from '../settings/config.ts';
import { KeptRecords } from '../state/kept-records.ts';
import type { StateFolder } from '../state/state-folder.io.ts';
import { takeStateFolder } from '../take-over.io.ts';

/** What a node keeps on disk. */
export interface State {
  /** Who the node is, and how often it has started. Held by this weftd alone until {@link close}. */
  readonly folder: StateFolder;
  /** The ring and the allocations. */
  readonly store: IpamStore;
  /** What peers said of themselves. */
  readonly records: KeptRecords;
  /** What the weftd before has open, beside the state. */
  readonly inheritance: Inheritance | undefined;
  /** A warning where somebody removed what a start needs. */
  warnings(): Warning[];
  /** Lets another weftd take all of it. */
  close(): void;
}

/**
 * Takes the state folder, from the weftd that serves the node where both share it, and opens what is in it. Rejects as
 * {@link takeStateFolder} and {@link SqliteStore} do; nothing is then held.
 *
 * @param options.clusterId of the cluster whose secret this weftd was given.
 * @param options.returned this weftd made room for a successor, and the successor failed.
 */
export async function openState(
  config: Config,
  options: { readonly clusterId: Uint8Array; readonly log: Log; readonly returned: boolean },
): Promise<State> {
  const makeDatabase = (path: string): void => SqliteStore.create(path);
  const { runDir, port } = config;
  const heir = new Heir({ runDir, port, listen: listenHosts(config), log: options.log });
  const folder = await takeStateFolder(config, {
    ...{ ...options, heir, random: osRandom },
    ...{ makeDatabase, isUnused },
  });
  try {
    const store = SqliteStore.open(folder.databasePath);
    return {
      folder,
      store,
      records: new KeptRecords(store),
      warnings: () => folder.lost().map((path) => warningOf(DAEMON_WARNINGS, 'E_STATE_LOST', { path })),
      inheritance: heir.inheritance,
      close: () => {
        heir.close();
        store.close();
        folder.close();
      },
    };
  } catch (error) {
    heir.close();
    folder.close();
    throw error;
  }
}

/**
 * Whether a node's database is of one that never had a part in a ring: beside the records of peers, and the decrees that
 * the API showed, it holds something only where the node had one, or agreed on one. False where it cannot be read.
 */
export function isUnused(databasePath: string): boolean {
  try {
    const store = SqliteStore.open(databasePath);
    const keys = [...store.entries('')].map(([key]) => key);
    store.close();
    return keys.every((key) => key.startsWith('record/') || key.startsWith('decree/'));
  } catch {
    return false;
  }
}

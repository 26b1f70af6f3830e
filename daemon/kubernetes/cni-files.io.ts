import {
  chmodSync,
  type FSWatcher,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import { type Warning, warningOf, warningOfError } from '../../base/warning.ts';
import { WeftError } from '../../base/weft-error.ts';
import { fileFault, TEMPORARY_SUFFIX } from '../../host/durable-file.io.ts';
import type { Log } from '../../host/log.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import type { Config } from '../settings/config.ts';
import { ChainedPlugins } from './chained-plugins.io.ts';
import { namesIn, writeCniConfig } from './cni-config.io.ts';
import { cniWarnings } from './cni-warnings.ts';
import { RepairPace } from './repair-pace.ts';

/** After an event of the folders. Several come at once; those of a package's upgrade take a moment. */
const CALM_MS = 50;
/** Where no event tells of a change, it is found after this. */
const SLOW_LOOK_MS = 30_000;
/** A configuration that could not be written is written again after this. */
const RETRY_MS = 5_000;
const PLUGIN = 'weft-net';
/** Bytes of the plugin that are kept, to put it back. */
const MAX_PLUGIN_BYTES = 16 * 1024 * 1024;

/** What {@link CniFiles} needs. */
interface CniFilesOptions {
  readonly config: Pick<Config, 'cniConfig' | 'cniBinDir' | 'runDir'>;
  /** This weftd serves, so the runtime may call the plugin. */
  readonly ready: () => boolean;
  readonly log: Log;
  readonly now: () => Instant;
  readonly random: RandomSource;
}

/**
 * The files by which a container runtime finds Weft: the network configuration, written as soon as pods can be attached,
 * and the plugin, which others install. Other programs write in the same folders: package managers, other networks,
 * administrators. So the folders are watched for as long as the daemon serves. What was removed or changed of ours is put
 * back, the chain follows the plugins that come and go, and what is not ours to mend is a warning.
 */
export class CniFiles {
  readonly #options: CniFilesOptions;
  readonly #pace: RepairPace;
  readonly #chained: ChainedPlugins;
  #isPublished = false;
  #isClosed = false;
  /** The plugin as it was last seen. */
  #plugin: { readonly version: string; readonly bytes: Uint8Array } | undefined;
  readonly #watcherByFolder = new Map<string, { readonly identity: string; readonly watcher: FSWatcher }>();
  #timer: NodeJS.Timeout | undefined;
  #fault: WeftError | undefined;

  constructor(options: CniFilesOptions) {
    this.#options = options;
    this.#pace = new RepairPace(options.random);
    this.#chained = new ChainedPlugins(options.config.cniBinDir);
  }

  /** To be called whenever weftd may have begun to serve. */
  update(): void {
    if (this.#isPublished || this.#isClosed || this.#options.config.cniConfig === undefined) return;
    if (!this.#options.ready()) return;
    if (!this.#chained.isKnown) {
      this.#chained.learn(() => this.update());
      return;
    }
    if (!this.#tryTo(() => this.#write())) {
      this.#lookAfter(RETRY_MS);
      return;
    }
    this.#isPublished = true;
    this.#options.log.info('the container runtime may attach pods', {
      config: this.#options.config.cniConfig,
    });
    this.#look();
  }

  /** What a user should know of at present. */
  warnings(): Warning[] {
    const { config, now } = this.#options;
    const { cniConfig, cniBinDir } = config;
    if (cniConfig === undefined) return [];
    const fought = this.#pace.fought(now());
    return [
      ...cniWarnings({
        ownName: basename(cniConfig),
        configNames: namesIn(dirname(cniConfig)),
        binDir: cniBinDir,
        pluginNames: new Set(namesIn(cniBinDir)),
      }),
      ...(fought === undefined
        ? []
        : [
            warningOf(DAEMON_WARNINGS, 'W_CNI_FILES_CONTESTED', {
              config: cniConfig,
              plugin: `${cniBinDir}/${PLUGIN}`,
              repairs: fought,
            }),
          ]),
      ...(this.#fault === undefined ? [] : [warningOfError(this.#fault)]),
    ];
  }

  /** From now on the files are another weftd's to write. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { watcher } of this.#watcherByFolder.values()) watcher.close();
  }

  /** Watches both folders, also where one was made anew under its name. */
  #watch(): void {
    const { cniConfig, cniBinDir } = this.#options.config;
    for (const folder of [dirname(cniConfig!), cniBinDir]) {
      const seen = statSync(folder, { throwIfNoEntry: false });
      const known = this.#watcherByFolder.get(folder);
      const identity = `${seen?.ino} ${seen?.birthtimeMs}`; // the number alone may be dealt out again
      if (seen === undefined || known?.identity === identity) continue;
      known?.watcher.close();
      this.#watcherByFolder.delete(folder);
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookAfter(CALM_MS));
        watcher.on('error', (error) => this.#missEvents(folder, error));
        this.#watcherByFolder.set(folder, { identity, watcher });
      } catch (error) {
        this.#missEvents(folder, error as Error);
      }
    }
  }

  /** No inotify: the slow look has to do. */
  #missEvents(folder: string, { message }: Error): void {
    this.#watcherByFolder.get(folder)?.watcher.close();
    this.#watcherByFolder.delete(folder);
    this.#options.log.debug('changes of a folder are found by looking only', { folder, message });
  }

  #lookAfter(ms: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#isPublished ? this.#look() : this.update()), ms).unref();
  }

  /** Puts right what is ours, or notes when it may be done. */
  #look(): void {
    const { now } = this.#options;
    this.#watch();
    if (!this.#chained.isKnown) {
      this.#chained.learn(() => this.#lookAfter(0));
      return;
    }
    const rests = this.#pace.restsUntil(now());
    if (rests !== undefined) {
      this.#lookAfter(rests - now());
      return;
    }
    const done = this.#tryTo(() => {
      this.#keepPlugin();
      this.#write();
    });
    this.#lookAfter(done ? SLOW_LOOK_MS : RETRY_MS);
  }

  #write(): void {
    const { config, log, now } = this.#options;
    const { cniConfig, cniBinDir, runDir } = config;
    const { latest } = this.#chained;
    const change = writeCniConfig(cniConfig!, { runDir, binDir: cniBinDir, latest });
    if (change === 'none' || !this.#isPublished) return;
    this.#pace.repaired(now());
    if (change === 'adapted')
      log.info('the network configuration follows the plugins of this host', { config: cniConfig });
    else log.warn(`the network configuration was ${change}; put it back`, { config: cniConfig });
  }

  /** Remembers the plugin, also where a newer one was installed; puts it back where it is gone. */
  #keepPlugin(): void {
    const { config, log, now } = this.#options;
    const path = `${config.cniBinDir}/${PLUGIN}`;
    const seen = statSync(path, { throwIfNoEntry: false });
    if (seen !== undefined) {
      const version = `${seen.ino} ${seen.mtimeMs} ${seen.size}`;
      if (version !== this.#plugin?.version && seen.size <= MAX_PLUGIN_BYTES)
        this.#plugin = { version, bytes: readFileSync(path) };
      return;
    }
    if (this.#plugin === undefined) return;
    const temporary = path + TEMPORARY_SUFFIX;
    this.#pace.repaired(now());
    try {
      writeFileSync(temporary, this.#plugin.bytes);
      chmodSync(temporary, 0o755);
      renameSync(temporary, path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw fileFault(path, 'is gone and cannot be put back', cause, 'E_PLUGIN');
    }
    log.warn('the CNI plugin was removed; put it back', { plugin: path });
  }

  /** False where the environment refuses it; the fault is shown for as long. */
  #tryTo(act: () => void): boolean {
    try {
      act();
      this.#fault = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#fault = error;
      this.#options.log.error(error.message, { code: error.code, remedy: error.remedy });
      return false;
    }
  }
}

import { WeftError } from '../../base/weft-error.ts';
import type { Log } from '../../host/log.ts';
import type { Config } from '../settings/config.ts';
import { writeCniConfig } from './cni-config.io.ts';

/** A configuration that could not be written is written again after this. */
const RETRY_MS = 5_000;

/** Writes the CNI configuration, by which the container runtime learns that pods can be attached: once, as soon as that is so. */
export class CniConfigPublisher {
  readonly #config: Pick<Config, 'cniConfig' | 'cniBinDir' | 'runDir'>;
  readonly #ready: () => boolean;
  readonly #log: Log;
  #made = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly config: Pick<Config, 'cniConfig' | 'cniBinDir' | 'runDir'>;
    readonly ready: () => boolean;
    readonly log: Log;
  }) {
    this.#config = options.config;
    this.#ready = options.ready;
    this.#log = options.log;
  }

  /** To be called whenever weftd may have begun to serve. */
  update(): void {
    const { cniConfig, runDir, cniBinDir } = this.#config;
    if (this.#made || this.#closed || cniConfig === undefined || !this.#ready()) return;
    try {
      writeCniConfig(cniConfig, runDir, cniBinDir);
      this.#made = true;
      this.#log.info('the container runtime may attach pods', { config: cniConfig });
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#log.error(error.message, { code: error.code, remedy: error.remedy });
      this.#retry = setTimeout(() => this.update(), RETRY_MS).unref();
    }
  }

  /** From now on the file is another weftd's to write. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }
}

import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { CHAINED, LATEST_CNI } from './cni-config.ts';

/** A plugin that has not answered by then counts as an old one. */
const ANSWER_MS = 2_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Which of the plugins that may follow ours speak the latest version of CNI. Each is asked by the command VERSION, once
 * and again when its file has changed. One that cannot be run here, as it may need libraries of the host, counts as old.
 */
export class ChainedPlugins {
  readonly #binDir: string;
  readonly #knownByType = new Map<string, { readonly identity: string; readonly isLatest: boolean }>();
  #learning: Promise<void> | undefined;

  constructor(binDir: string) {
    this.#binDir = binDir;
  }

  /** All that are there at present were asked. */
  get isKnown(): boolean {
    return CHAINED.every(({ type }) => this.#knownByType.get(type)?.identity === this.#identityOf(type));
  }

  /** Types that spoke the latest version when they were asked. */
  get latest(): ReadonlySet<string> {
    return new Set([...this.#knownByType].flatMap(([type, { isLatest }]) => (isLatest ? [type] : [])));
  }

  /** Asks those that are new, and tells when that is done. While it asks, further calls do nothing. */
  learn(done: () => void): void {
    if (this.#learning !== undefined) return;
    const asked = CHAINED.map(async ({ type }) => {
      const identity = this.#identityOf(type);
      if (identity === this.#knownByType.get(type)?.identity) return;
      const isLatest = identity !== NO_FILE && (await speaksLatest(`${this.#binDir}/${type}`));
      this.#knownByType.set(type, { identity, isLatest });
    });
    this.#learning = Promise.all(asked).then(() => {
      this.#learning = undefined;
      done();
    });
  }

  #identityOf(type: string): string {
    const seen = statSync(`${this.#binDir}/${type}`, { throwIfNoEntry: false });
    return seen === undefined ? NO_FILE : `${seen.ino} ${seen.mtimeMs} ${seen.ctimeMs} ${seen.size}`;
  }
}

const NO_FILE = 'none';

/** CNI 1.1, VERSION: a plugin answers `supportedVersions`, without looking at anything else. */
function speaksLatest(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { env: { CNI_COMMAND: 'VERSION' }, timeout: ANSWER_MS, killSignal: 'SIGKILL' } as const;
    const child = execFile(path, { ...options, maxBuffer: MAX_ANSWER_BYTES }, (error, stdout) =>
      resolve(error === null && supports(stdout)),
    );
    // One that could not be started, or that does not read, breaks the pipe; its end tells enough.
    child.stdin?.on('error', () => {});
    child.stdin?.end(JSON.stringify({ cniVersion: LATEST_CNI }));
  });
}

function supports(answer: string): boolean {
  try {
    const { supportedVersions } = JSON.parse(answer) as { readonly supportedVersions?: unknown };
    return Array.isArray(supportedVersions) && supportedVersions.includes(LATEST_CNI);
  } catch {
    return false;
  }
}

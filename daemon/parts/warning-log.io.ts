import { type Warning, warningLine } from '../../base/warning.ts';
import type { Log } from '../../host/log.ts';

/** What ends sooner is not worth two lines. */
const LOOK_MS = 30_000;

/** How long and how often, which rise for as long as a warning stands. */
const RISING = /\b\d+(?= (s|min|times)\b)/g;

/**
 * Tells the log of each warning of `weft status` once when it is there, and once when it is not there any more: whoever looks
 * only afterwards finds what was wrong, and for how long.
 */
export class WarningLog {
  readonly #read: () => readonly Warning[];
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  /** As it was first told, by what stays of it. */
  #lineByKey = new Map<string, string>();

  /** `read` gives the warnings as they are now. */
  constructor(read: () => readonly Warning[], log: Log) {
    this.#read = read;
    this.#log = log;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  look(): void {
    const lineByKey = new Map<string, string>();
    for (const warning of this.#read()) {
      const line = warningLine(warning);
      const key = `${warning.code} ${warning.message.replace(RISING, '')}`;
      const before = this.#lineByKey.get(key);
      lineByKey.set(key, before ?? line);
      if (before === undefined) this.#log.warn('a warning begins', { code: warning.code, what: line }, key);
    }
    for (const [key, line] of this.#lineByKey)
      if (!lineByKey.has(key)) this.#log.info('a warning ended', { what: line }, key);
    this.#lineByKey = lineByKey;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

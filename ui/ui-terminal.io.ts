import { fstatSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The user who started a program that goes on until they end it: by a signal, or as their end of the terminal goes. */
export class UiTerminal {
  /** Resolves when they want it to end. */
  readonly gone: Promise<'stopped'>;
  readonly #end: () => void;
  #lines: Interface | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<'stopped'>();
    this.gone = promise;
    this.#end = () => resolve('stopped');
    for (const signal of SIGNALS) process.on(signal, this.#end);
    if (!isHeld()) return;
    // Its `close` is the end of the input: `kubectl exec -i` was ended, or the terminal closed.
    this.#lines = createInterface({ input: process.stdin, terminal: false });
    this.#lines.once('close', this.#end);
  }

  /** Called for each line that they enter. */
  onLine(take: () => void): void {
    this.#lines?.on('line', take);
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#end);
    this.#lines?.close();
    process.stdin.destroy();
  }
}

/** Whether somebody is at the other end of standard input. `/dev/null`, which a service has, or a file, is nobody. */
function isHeld(): boolean {
  if (process.stdin.isTTY) return true;
  try {
    const kind = fstatSync(0);
    return kind.isFIFO() || kind.isSocket();
  } catch {
    return false;
  }
}

import { writeSync } from 'node:fs';
import { clock } from './clock.io.ts';
import { Log, type LogLevel } from './log.ts';

const STDERR = 2;

/** The log of this process, on standard error. A reader that is gone or does not keep up loses lines, no more. */
export function stderrLog(options: { readonly level: LogLevel; readonly format: 'text' | 'json' }): Log {
  return new Log(
    {
      write(line) {
        try {
          writeSync(STDERR, `${line}\n`);
        } catch {
          // EAGAIN, EPIPE: there is nobody to tell.
        }
      },
      now: clock,
      date: () => new Date().toISOString(),
    },
    options,
  );
}

import type { Instant } from '../base/instant.ts';
import { printable } from '../base/printable.ts';
import { TokenBucket } from '../base/token-bucket.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** What a log line says beside its message. Values of peers are quoted and shortened when they are written. */
type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where finished lines go, without line end; and what the log has of time. */
interface LogSink {
  write(line: string): void;
  /** Monotonic, for the rate limit. */
  now(): Instant;
  /** Text of the present date, for the reader alone: `2026-01-31T12:00:00.000Z`. */
  date(): string;
}

/** Lines of one key at once, before the limit takes hold. */
export const LOG_BURST = 10;
/** After that, one line of a key in this time. */
export const LOG_REFILL_MS = 10_000;
/** Keys whose rate is kept at one time. Beyond that, the key that was silent longest is forgotten. */
export const MAX_LOG_KEYS = 1024;

const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

interface Rate {
  readonly bucket: TokenBucket;
  /** Lines left out since the last one that was written. */
  suppressed: number;
}

/**
 * Levelled log of one line a message, as text or JSON, with a limit of the rate of each key, so that nobody can
 * flood it from the network. A key is the message itself unless the caller gives another (`key`), such as one a
 * peer. The first line after a silence tells how many were left out: `suppressed=17`.
 *
 * Messages are literals of the code; whatever comes from outside belongs into the fields. Keep secrets out of both.
 */
export class Log {
  readonly #sink: LogSink;
  readonly #level: number;
  readonly #format: 'text' | 'json';
  readonly #rateByKey = new Map<string, Rate>();

  constructor(sink: LogSink, options: { readonly level: LogLevel; readonly format: 'text' | 'json' }) {
    this.#sink = sink;
    this.#level = SEVERITY[options.level];
    this.#format = options.format;
  }

  error(message: string, fields: LogFields = {}, key = message): void {
    this.#log('error', message, fields, key);
  }

  warn(message: string, fields: LogFields = {}, key = message): void {
    this.#log('warn', message, fields, key);
  }

  info(message: string, fields: LogFields = {}, key = message): void {
    this.#log('info', message, fields, key);
  }

  debug(message: string, fields: LogFields = {}, key = message): void {
    this.#log('debug', message, fields, key);
  }

  /** Whether lines of this level are written, for a caller whose fields are costly. */
  enabled(level: LogLevel): boolean {
    return SEVERITY[level] <= this.#level;
  }

  #log(level: LogLevel, message: string, fields: LogFields, key: string): void {
    if (!this.enabled(level)) return;
    const suppressed = this.#admit(key);
    if (suppressed === undefined) return;
    const all = suppressed > 0 ? { ...fields, suppressed } : fields;
    const format = this.#format === 'json' ? jsonLine : textLine;
    this.#sink.write(format(this.#sink.date(), level, message, all));
  }

  /** How many lines of the key were left out since its last one, or undefined where this one is left out too. */
  #admit(key: string): number | undefined {
    const now = this.#sink.now();
    const rate = this.#rateByKey.get(key) ?? {
      bucket: new TokenBucket(LOG_BURST, 1000 / LOG_REFILL_MS),
      suppressed: 0,
    };
    // Moved to the end of the map: its order is that of last use.
    this.#rateByKey.delete(key);
    this.#rateByKey.set(key, rate);
    if (this.#rateByKey.size > MAX_LOG_KEYS) {
      const oldest = this.#rateByKey.keys().next().value;
      if (oldest !== undefined) this.#rateByKey.delete(oldest);
    }
    if (!rate.bucket.take(now)) {
      rate.suppressed++;
      return undefined;
    }
    const { suppressed } = rate;
    rate.suppressed = 0;
    return suppressed;
  }
}

/** `2026-01-31T12:00:00.000Z warn peer lost peer=4f… reason="no answer"` */
function textLine(date: string, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${date} ${level} ${printable(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = typeof value === 'string' ? printable(value) : String(value);
    line += ` ${name}=${/^[^\s"=]+$/.test(text) ? text : `"${text.replaceAll('"', "'")}"`}`;
  }
  return line;
}

function jsonLine(date: string, level: LogLevel, message: string, fields: LogFields): string {
  const line: Record<string, unknown> = { date, level, message: printable(message) };
  for (const [name, value] of Object.entries(fields)) {
    // The log's own names cannot be taken over by a field.
    const free = name in line ? `${name}_` : name;
    line[free] = typeof value === 'string' ? printable(value) : value;
  }
  return JSON.stringify(line);
}

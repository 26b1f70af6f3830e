import type { Counters } from '../../base/counters.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import type { Instant } from '../../base/instant.ts';
import { type Warning, warningLine, warningOf } from '../../base/warning.ts';
import { clock } from '../clock.io.ts';
import { type Answer, AnswerServer } from '../http/answer-server.io.ts';
import type { Log } from '../log.ts';
import type { Metric } from './metric.ts';
import type { MetricsCounter } from './metrics-counters.ts';
import { METRICS_TYPE, metricsText } from './metrics-text.io.ts';
import { METRICS_WARNINGS } from './metrics-warnings.ts';

/** Connections at once. Each Prometheus has one for some milliseconds. */
const CONNECTIONS = 64;
/** A connection ends within this: Prometheus waits for 10 s, unless it is told otherwise. */
const DEADLINE_MS = 5_000;
/** How often one host may ask, and how often all together may connect. A Prometheus asks four times a minute. */
const RATE = { source: { burst: 20, perSecond: 5 }, all: { burst: 300, perSecond: 100 } };
/** What was read within this is given to all who ask. */
const FRESH_MS = 1_000;
/** Between two attempts to listen. */
const AGAIN_MS = 10_000;

const COUNTER_BY_REFUSAL = {
  tooSlow: 'metrics.tooSlow',
  tooMany: 'metrics.tooMany',
  tooOften: 'metrics.tooOften',
} as const;

interface MetricsPortOptions<Source> {
  readonly metrics: readonly Metric<Source>[];
  /** Reads what the metrics are made from. Called once a second at most. */
  readonly read: () => Promise<Source>;
  readonly counters: Counters<MetricsCounter>;
  readonly log: Log;
}

/**
 * Answers Prometheus at `/metrics`. Nothing else is told, and nothing can be changed here. Who may reach the address may
 * ask, so what that costs is bounded ({@link AnswerServer}), and an answer is made once a second at most.
 *
 * A port that cannot be had is no reason to leave pods without a network: it is told, and tried again.
 */
export class MetricsPort<Source> {
  readonly #at: Endpoint;
  readonly #options: MetricsPortOptions<Source>;
  #server: AnswerServer | undefined;
  #fault: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #latest: { readonly text: Promise<Answer>; readonly at: Instant } | undefined;

  constructor(at: Endpoint, options: MetricsPortOptions<Source>) {
    this.#at = at;
    this.#options = options;
  }

  /** Begins to listen. Resolves when the first attempt has succeeded or failed. */
  async start(): Promise<void> {
    const { counters, log } = this.#options;
    try {
      const server = await AnswerServer.listen(this.#at, {
        pages: { '/metrics': () => this.#page() },
        connections: CONNECTIONS,
        deadlineMs: DEADLINE_MS,
        rate: RATE,
        onRefused: (why) => counters.add(COUNTER_BY_REFUSAL[why]),
      });
      if (this.#isClosed) server.close();
      this.#server = server;
      this.#fault = undefined;
    } catch (error) {
      this.#fault = (error as NodeJS.ErrnoException).code ?? String(error);
      for (const warning of this.warnings())
        log.warn('there are no metrics', { fault: warningLine(warning) });
      if (!this.#isClosed) this.#timer = setTimeout(() => void this.start(), AGAIN_MS).unref();
    }
  }

  warnings(): Warning[] {
    if (this.#fault === undefined) return [];
    return [warningOf(METRICS_WARNINGS, 'W_METRICS_PORT', { at: this.#at, fault: this.#fault })];
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#server?.close();
  }

  #page(): Promise<Answer> {
    if (this.#latest === undefined || clock() - this.#latest.at >= FRESH_MS)
      this.#latest = { text: this.#read(), at: clock() };
    return this.#latest.text;
  }

  async #read(): Promise<Answer> {
    const { metrics, read, counters, log } = this.#options;
    counters.add('metrics.read');
    try {
      return { status: 200, type: METRICS_TYPE, body: await metricsText(metrics, await read()) };
    } catch (error) {
      counters.add('metrics.failed');
      log.error('the metrics could not be read', { fault: String(error) });
      return { status: 500, body: 'the metrics could not be read; see the log\n' };
    }
  }
}

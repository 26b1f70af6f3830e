import type { Counters } from '../../base/counters.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import type { Histograms } from '../../base/histograms.ts';
import { after } from '../../base/instant.ts';
import type { Warning } from '../../base/warning.ts';
import type { PolicyStatusResult } from '../../control/npc-request.ts';
import { clock } from '../../host/clock.io.ts';
import { EventLoopDelay } from '../../host/event-loop-delay.ts';
import type { Log } from '../../host/log.ts';
import type { MetricsCounter } from '../../host/metrics/metrics-counters.ts';
import { MetricsPort } from '../../host/metrics/metrics-port.io.ts';
import type { BlockedConnections } from './blocked-connections.ts';
import type { NpcHistogram } from './npc-histograms.ts';
import { NPC_METRICS, readNpcMetrics } from './npc-metrics.ts';

/** A timer asks so often how late it is. */
const SAMPLE_EVERY_MS = 500;

interface NpcMetricsOptions {
  /** What `weft policy status` shows, and what the kernel counts of policies: nothing where that is not known. */
  readonly status: () => Promise<{
    readonly status: PolicyStatusResult;
    readonly kernel: Readonly<Record<string, number>>;
  }>;
  readonly blocked: BlockedConnections;
  readonly histograms: Histograms<NpcHistogram>;
  readonly counters: Counters<MetricsCounter>;
  readonly log: Log;
}

/** The port for metrics of a weft-npc, and what is measured only for it. Loaded only where it is wanted. */
export class NpcMetricsPort {
  readonly #port: MetricsPort<ReturnType<typeof readNpcMetrics>>;
  readonly #timer: NodeJS.Timeout;

  constructor(at: Endpoint, { status, blocked, histograms, counters, log }: NpcMetricsOptions) {
    const loopDelay = new EventLoopDelay();
    let dueAt = after(clock(), SAMPLE_EVERY_MS);
    this.#timer = setInterval(() => {
      const now = clock();
      loopDelay.note(dueAt, now);
      dueAt = after(now, SAMPLE_EVERY_MS);
    }, SAMPLE_EVERY_MS).unref();
    this.#port = new MetricsPort(at, {
      metrics: NPC_METRICS,
      read: async () =>
        readNpcMetrics(await status(), { loopDelay, blocked, histograms: histograms.snapshot() }),
      counters,
      log,
    });
  }

  start(): Promise<void> {
    return this.#port.start();
  }

  warnings(): Warning[] {
    return this.#port.warnings();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#port.close();
  }
}

import { assert } from '../../base/assert.ts';
import type { Log } from '../../host/log.ts';
import { MetricsPort } from '../../host/metrics/metrics-port.io.ts';
import { DAEMON_METRICS, readDaemonMetrics } from '../metrics/daemon-metrics.ts';
import type { Config } from '../settings/config.ts';
import { readKernelCounters } from '../status/kernel-counters.io.ts';
import type { StatusContext } from '../status/status-context.ts';

/** The port for metrics, not listening yet. Loaded only where one is wanted. */
export function metricsPort(
  { metricsListen, metricsPeers }: Config,
  context: StatusContext,
  log: Log,
): MetricsPort<ReturnType<typeof readDaemonMetrics>> {
  assert(metricsListen !== undefined, 'a port for metrics is wanted');
  return new MetricsPort(metricsListen, {
    metrics: DAEMON_METRICS,
    read: async () => readDaemonMetrics(context, await readKernelCounters(), { mostPeers: metricsPeers }),
    counters: context.counters,
    log,
  });
}

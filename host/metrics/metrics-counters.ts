import { type CounterTable, counts, drops } from '../../base/counters.ts';

/** What the port for metrics counts. */
export const METRICS_COUNTERS = {
  'metrics.read': counts(
    'Times that the metrics were read and written down. Who asks again within a second gets the same.',
  ),
  'metrics.failed': counts('Times that the metrics could not be read. Who asked was told so.'),
  'metrics.tooSlow': drops(
    'call',
    'Connections to the port for metrics that were closed because they took too long.',
  ),
  'metrics.tooMany': drops(
    'call',
    'Connections to the port for metrics that were closed for newer ones. Somebody holds many of them open.',
  ),
  'metrics.tooOften': drops(
    'call',
    'Connections to the port for metrics that were refused because one host, or all together, came too often.',
  ),
} as const satisfies CounterTable;

export type MetricsCounter = keyof typeof METRICS_COUNTERS;

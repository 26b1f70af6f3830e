import { readdirSync } from 'node:fs';
import { type GaugeTable, gauge, gaugeBy } from '../base/gauges.ts';
import type { EventLoopDelay } from './event-loop-delay.ts';

const QUANTILES = { p50: 0.5, p99: 0.99, max: 1 } as const;

/** What can be asked of any of our processes at any time. */
export const PROCESS_GAUGES = {
  'process.residentBytes': gauge('bytes', 'Memory of the process that is in RAM.', () =>
    process.memoryUsage.rss(),
  ),
  'process.heapBytes': gauge(
    'bytes',
    'Memory that JavaScript objects use.',
    () => process.memoryUsage().heapUsed,
  ),
  'process.uptime': gauge('seconds', 'Time since the process started.', () => process.uptime()),
  'process.openFiles': gauge(
    'count',
    'Open files and sockets of the process.',
    () => readdirSync('/proc/self/fd').length - 1,
  ),
  'process.eventLoopDelay': gaugeBy(
    { name: 'percentile', values: ['p50', 'p99', 'max'] },
    'seconds',
    'How long the process kept its own timers waiting in about the last minute. Packets wait as long as that.',
    (delay) => ({
      p50: delay.quantileMs(QUANTILES.p50) / 1000,
      p99: delay.quantileMs(QUANTILES.p99) / 1000,
      max: delay.quantileMs(QUANTILES.max) / 1000,
    }),
  ),
} as const satisfies GaugeTable<EventLoopDelay>;

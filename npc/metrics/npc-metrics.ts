import { joinCounters } from '../../base/counters.ts';
import type { GaugeReading } from '../../base/gauges.ts';
import { readGauges } from '../../base/gauges.ts';
import type { HistogramReading } from '../../base/histograms.ts';
import type { PolicyStatusResult } from '../../control/npc-request.ts';
import type { EventLoopDelay } from '../../host/event-loop-delay.ts';
import {
  type Counts,
  counterMetrics,
  gaugeMetrics,
  histogramMetrics,
} from '../../host/metrics/declared-metrics.ts';
import type { Metric } from '../../host/metrics/metric.ts';
import { PROGRAM_METRICS, type ProgramReading } from '../../host/metrics/program-metrics.ts';
import { PROCESS_GAUGES } from '../../host/process-gauges.io.ts';
import { POLICY_COUNTERS } from '../../linux/policy-rules.ts';
import type { BlockedConnections } from './blocked-connections.ts';
import { OWN_NPC_COUNTERS } from './npc-counters.ts';
import { NPC_GAUGES } from './npc-gauges.ts';
import { NPC_HISTOGRAMS } from './npc-histograms.ts';

/** What the metrics of weft-npc are made from, at one moment. */
interface NpcReading extends ProgramReading {
  readonly counts: Counts;
  readonly gauges: Readonly<Record<string, GaugeReading>>;
  readonly histograms: Readonly<Record<string, HistogramReading>>;
  readonly blocked: ReturnType<BlockedConnections['all']>;
}

const BLOCKED: Metric<NpcReading> = {
  name: 'weavenpc_blocked_connections_total',
  type: 'counter',
  help:
    'Packets that policies denied, as far as the drop log sees them: 20 a second at most, and none with --no-drop-log. ' +
    'weft_dropped_packets_total counts all.',
  labels: [
    { name: 'protocol', values: 'tcp, udp, sctp, icmp and others' },
    { name: 'dport', values: 'the first 64 pairs of protocol and port, then other', most: 65 },
  ],
  read: ({ blocked }) =>
    blocked.map(({ protocol, port, count }) => ({ value: count, labels: { protocol, dport: port } })),
};

/** The metrics of weft-npc. How long starts of pods waited for it, weftd tells. */
export const NPC_METRICS: readonly Metric<NpcReading>[] = [
  ...PROGRAM_METRICS,
  BLOCKED,
  ...gaugeMetrics({ ...NPC_GAUGES, ...PROCESS_GAUGES }),
  ...histogramMetrics(NPC_HISTOGRAMS),
  ...counterMetrics(joinCounters(OWN_NPC_COUNTERS, POLICY_COUNTERS)),
];

/** Reads them. `kernel`: what it counts of policies; nothing where that is not known. */
export function readNpcMetrics(
  { status, kernel }: { readonly status: PolicyStatusResult; readonly kernel: Counts },
  {
    loopDelay,
    blocked,
    histograms,
  }: {
    readonly loopDelay: EventLoopDelay;
    readonly blocked: BlockedConnections;
    readonly histograms: Readonly<Record<string, HistogramReading>>;
  },
): NpcReading {
  const unknown = Object.fromEntries(Object.keys(POLICY_COUNTERS).map((name) => [name, null]));
  return {
    program: 'weft-npc',
    version: status.version,
    problems: status.problems,
    counts: { ...unknown, ...status.counters, ...kernel },
    gauges: { ...readGauges(NPC_GAUGES, status), ...readGauges(PROCESS_GAUGES, loopDelay) },
    histograms,
    blocked: blocked.all(),
  };
}

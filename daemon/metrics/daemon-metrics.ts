import { joinCounters } from '../../base/counters.ts';
import type { GaugeReading } from '../../base/gauges.ts';
import type { PeersResult } from '../../control/peer-status.ts';
import { type Counts, counterMetrics, gaugeMetrics } from '../../host/metrics/declared-metrics.ts';
import type { Metric } from '../../host/metrics/metric.ts';
import { PROGRAM_METRICS, type ProgramReading } from '../../host/metrics/program-metrics.ts';
import { GATE_COUNTERS } from '../../linux/policy-gate.ts';
import { RULE_COUNTERS } from '../../linux/rule-counters.ts';
import { DAEMON_COUNTERS } from '../daemon-counters.ts';
import { DAEMON_GAUGES } from '../status/daemon-gauges.ts';
import type { KernelCounters } from '../status/kernel-counters.io.ts';
import { peersView } from '../status/peers-view.ts';
import { problemsView } from '../status/problems-view.ts';
import { ownCounts } from '../status/report-view.ts';
import type { StatusContext } from '../status/status-context.ts';
import { PEER_METRICS } from './peer-metrics.ts';
import { WEAVE_METRICS } from './weave-metrics.ts';

/** What the metrics of weftd are made from: the same that the report shows, at one moment. */
interface DaemonReading extends ProgramReading {
  readonly counts: Counts;
  readonly gauges: Readonly<Record<string, GaugeReading>>;
  readonly datapath: string;
  readonly peers: PeersResult['peers'];
  readonly peersWithoutSeries: number;
}

/** The metrics of weftd. What policies dropped, weft-npc tells. */
export const DAEMON_METRICS: readonly Metric<DaemonReading>[] = [
  ...PROGRAM_METRICS,
  ...WEAVE_METRICS,
  ...gaugeMetrics(DAEMON_GAUGES),
  ...PEER_METRICS,
  ...counterMetrics(joinCounters(DAEMON_COUNTERS, RULE_COUNTERS, GATE_COUNTERS)),
];

/** Reads them; peers one by one where there are at most `mostPeers`. */
export function readDaemonMetrics(
  context: StatusContext,
  kernel: KernelCounters,
  { mostPeers }: { readonly mostPeers: number },
): DaemonReading {
  const { node, version, datapath } = context;
  const others = node.gossip
    .members()
    .filter(({ peer, state }) => peer !== node.peer && state !== 'left').length;
  const each = others <= mostPeers;
  return {
    program: 'weftd',
    version,
    problems: problemsView(context),
    counts: { ...ownCounts(context), ...kernel.counts },
    gauges: context.gauges(),
    datapath: datapath.name,
    peers: each ? peersView(context).peers.filter(({ state }) => state !== 'left') : [],
    peersWithoutSeries: each ? 0 : others,
  };
}

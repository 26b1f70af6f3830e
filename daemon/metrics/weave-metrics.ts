import type { GaugeReading } from '../../base/gauges.ts';
import type { Counts } from '../../host/metrics/declared-metrics.ts';
import type { Metric } from '../../host/metrics/metric.ts';
import type { DAEMON_COUNTERS } from '../daemon-counters.ts';
import type { DAEMON_GAUGES } from '../status/daemon-gauges.ts';

/** What these metrics are made from: other names for what Weft's own counters and gauges say. */
interface WeaveReading {
  readonly counts: Counts;
  readonly gauges: Readonly<Record<string, GaugeReading>>;
  /** Name of the datapath. */
  readonly datapath: string;
}

/** Kinds of tunnels by the states of Weave Net's connections. An idle tunnel is none; pending and retrying there is not. */
const KINDS_BY_STATE = {
  established: ['direct', 'relayed'],
  connecting: ['handshaking'],
  failed: ['unreachable'],
  pending: [],
  retrying: [],
} as const;

/**
 * The metrics that Weave Net had, under its names, for its users' dashboards and alerts. `weave_flows`, `weave_dns_entries`
 * and `weave_ipam_pending_claims` tell of what Weft has not.
 */
export const WEAVE_METRICS: readonly Metric<WeaveReading>[] = [
  {
    name: 'weave_connections',
    type: 'gauge',
    help: 'Tunnels to other nodes by state; as weft_tunnel_tunnels, under the names of Weave Net.',
    labels: [
      { name: 'state', values: Object.keys(KINDS_BY_STATE) },
      { name: 'type', values: 'the datapath in use' },
      { name: 'encryption', values: ['yes'] },
    ],
    read: ({ gauges, datapath }) =>
      Object.entries(KINDS_BY_STATE).map(([state, kinds]) => ({
        value: kinds.reduce((sum, kind) => sum + valueAt(gauges, 'tunnel.tunnels', kind), 0),
        labels: { state, type: datapath, encryption: 'yes' },
      })),
  },
  {
    name: 'weave_connection_terminations_total',
    type: 'counter',
    help: 'Tunnels whose peer answered no longer; as weft_tunnel_path_dead_total.',
    labels: [],
    read: ({ counts }) => [{ value: countOf(counts, 'tunnel.pathDead') }],
  },
  {
    name: 'weave_ips',
    type: 'gauge',
    help: 'Addresses in use on this node, of IPv4 where the cluster has it, else of IPv6.',
    labels: [{ name: 'state', values: ['local-used'] }],
    read: ({ gauges }) => [
      { value: valueAt(gauges, 'ipam.addressesUsed', mainFamily(gauges)), labels: { state: 'local-used' } },
    ],
  },
  {
    name: 'weave_max_ips',
    type: 'gauge',
    help: "Addresses of the cluster's range, of IPv4 where the cluster has it, else of IPv6.",
    labels: [],
    read: ({ gauges }) => [{ value: valueAt(gauges, 'ipam.rangeSize', mainFamily(gauges)) }],
  },
  {
    name: 'weave_ipam_unreachable_count',
    type: 'gauge',
    help: 'Nodes that own addresses and do not answer; as weft_ring_owners_unreachable.',
    labels: [],
    read: ({ gauges }) => [{ value: valueAt(gauges, 'ring.ownersUnreachable') }],
  },
  {
    name: 'weave_ipam_unreachable_percentage',
    type: 'gauge',
    help: 'Part of all addresses that nodes own which do not answer; of IPv4 where the cluster has it, else of IPv6.',
    labels: [],
    read: ({ gauges }) => [{ value: valueAt(gauges, 'ring.unreachable', mainFamily(gauges)) }],
  },
  {
    name: 'weave_ipam_pending_allocates',
    type: 'gauge',
    help: 'Requests for addresses that wait; as weft_ipam_requests_waiting.',
    labels: [],
    read: ({ gauges }) => [{ value: valueAt(gauges, 'ipam.requestsWaiting') }],
  },
];

/** The family of which Weave Net's numbers are. */
function mainFamily(gauges: WeaveReading['gauges']): '4' | '6' {
  return valueAt(gauges, 'ipam.rangeSize', '4') > 0 ? '4' : '6';
}

function valueAt(gauges: WeaveReading['gauges'], name: keyof typeof DAEMON_GAUGES, label?: string): number {
  const reading = gauges[name];
  return (typeof reading === 'number' ? reading : reading?.[label ?? '']) ?? 0;
}

function countOf(counts: Counts, name: keyof typeof DAEMON_COUNTERS): number {
  return counts[name] ?? 0;
}

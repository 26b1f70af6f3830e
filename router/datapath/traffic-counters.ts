import { type CounterTable, counts } from '../../base/counters.ts';
import type { TrafficTotals } from './datapath.ts';

/** What all tunnels of a node have carried since it started, those that are gone included. */
export const TRAFFIC_COUNTERS = {
  'datapath.sentPackets': counts('Packets that were sealed for other nodes, of whatever kind.'),
  'datapath.sentBytes': counts('Bytes of these, sealed, without the outer headers of IP and UDP.'),
  'datapath.receivedPackets': counts('Packets of other nodes that were opened, of whatever kind.'),
  'datapath.receivedBytes': counts('Bytes of these, sealed, without the outer headers of IP and UDP.'),
  'datapath.sentIpBytes': counts('Bytes of packets of pods and hosts that were sent to other nodes.'),
  'datapath.receivedIpBytes': counts('Bytes of packets of pods and hosts that came from other nodes.'),
} as const satisfies CounterTable;

/** Totals under the names of their counters. */
export function trafficCounts(totals: TrafficTotals): Record<keyof typeof TRAFFIC_COUNTERS, number> {
  return {
    'datapath.sentPackets': totals.sentPackets,
    'datapath.sentBytes': totals.sentBytes,
    'datapath.receivedPackets': totals.receivedPackets,
    'datapath.receivedBytes': totals.receivedBytes,
    'datapath.sentIpBytes': totals.sentIpBytes,
    'datapath.receivedIpBytes': totals.receivedIpBytes,
  };
}

import type { TrafficTotals } from './datapath.ts';

/** What two have carried together. */
export function sumTraffic(a: TrafficTotals, b: TrafficTotals): TrafficTotals {
  return {
    sentPackets: a.sentPackets + b.sentPackets,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedPackets: a.receivedPackets + b.receivedPackets,
    receivedBytes: a.receivedBytes + b.receivedBytes,
    sentIpBytes: a.sentIpBytes + b.sentIpBytes,
    receivedIpBytes: a.receivedIpBytes + b.receivedIpBytes,
  };
}

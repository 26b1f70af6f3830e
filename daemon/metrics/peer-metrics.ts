import type { PeersResult } from '../../control/peer-status.ts';
import type { Metric, Sample } from '../../host/metrics/metric.ts';

type PeerRow = PeersResult['peers'][number];

/** What these metrics are made from. */
interface PeersReading {
  /** As `weft peers` shows them; empty where there are more than have series of their own. */
  readonly peers: readonly PeerRow[];
  /** How many were left out. */
  readonly peersWithoutSeries: number;
}

const PEER = {
  name: 'peer',
  values: 'the names of the other nodes, where there are at most --metrics-peers',
};

/**
 * How each single peer stands. In a cluster of n nodes these are n² series, so a node shows them of a few peers only, and
 * of none where it has more: the gauges of tunnels say how all of them stand together.
 */
export const PEER_METRICS: readonly Metric<PeersReading>[] = [
  {
    name: 'weft_peers_without_series',
    type: 'gauge',
    help: 'Other nodes that have no series of their own, because there are more than --metrics-peers.',
    labels: [],
    read: ({ peersWithoutSeries }) => [{ value: peersWithoutSeries }],
  },
  {
    name: 'weft_peer_connected',
    type: 'gauge',
    help: '1 where packets flow to the peer, else 0. A peer to which nothing was sent yet has 0, too.',
    labels: [PEER],
    read: of(({ state }) => Number(state === 'connected')),
  },
  {
    name: 'weft_peer_relayed',
    type: 'gauge',
    help: '1 where packets to the peer go by way of another node, because no direct way was found, else 0.',
    labels: [PEER],
    read: of(({ via }) => Number(via !== null)),
  },
  {
    name: 'weft_peer_rtt_seconds',
    type: 'gauge',
    help: 'Time for which a packet goes to the peer and back, smoothed. Nothing where it was not measured.',
    labels: [PEER],
    read: of(({ rttMs }) => (rttMs === null ? undefined : rttMs / 1000)),
  },
  {
    name: 'weft_peer_mtu_bytes',
    type: 'gauge',
    help: 'The largest packet of a pod that the way to the peer takes.',
    labels: [PEER],
    read: of(({ mtu }) => mtu),
  },
  {
    name: 'weft_peer_sent_bytes_total',
    type: 'counter',
    help: 'Bytes sent to the peer, encrypted.',
    labels: [PEER],
    read: of(({ sentBytes }) => sentBytes),
  },
  {
    name: 'weft_peer_received_bytes_total',
    type: 'counter',
    help: 'Bytes received from the peer, encrypted.',
    labels: [PEER],
    read: of(({ receivedBytes }) => receivedBytes),
  },
];

/** A sample of each peer of which `valueIn` is known. */
function of(valueIn: (row: PeerRow) => number | undefined): (reading: PeersReading) => Sample[] {
  return ({ peers }) => {
    const rowsByName = new Map<string, number>();
    for (const { name } of peers) rowsByName.set(name, (rowsByName.get(name) ?? 0) + 1);
    return peers.flatMap((row) => {
      const value = valueIn(row);
      if (value === undefined) return [];
      // Two nodes may give themselves one name; series must differ all the same.
      const peer = rowsByName.get(row.name) === 1 ? row.name : `${row.name} (${row.peerId.slice(0, 16)})`;
      return [{ value, labels: { peer } }];
    });
  };
}

import { deepEqual } from 'node:assert/strict';
import { PEER_METRICS } from '../../../../daemon/metrics/peer-metrics.ts';

type Reading = Parameters<(typeof PEER_METRICS)[number]['read']>[0];

const row = (over: object): Reading['peers'][number] =>
  ({
    ...{ name: 'b', peerId: '2'.repeat(64), state: 'connected', via: null, rttMs: 1.5 },
    ...{ mtu: 1_380, sentBytes: 10, receivedBytes: 20, ...over },
  }) as Reading['peers'][number];

const labelsOf = (peers: Reading['peers'], metric: string): unknown[] =>
  PEER_METRICS.find(({ name }) => name === metric)!
    .read({ peers, peersWithoutSeries: 0 })
    .map(({ value, labels }) => [labels!.peer, value]);

describe('the metrics of peers', () => {
  it('have a series for each peer, in the units of Prometheus', () => {
    const peers = [row({}), row({ name: 'c', state: 'unreachable', via: 'b', rttMs: null })];
    deepEqual(
      PEER_METRICS.map(({ name, read }) => [
        name,
        read({ peers, peersWithoutSeries: 3 }).map(({ value }) => value),
      ]),
      [
        ['weft_peers_without_series', [3]],
        ['weft_peer_connected', [1, 0]],
        ['weft_peer_relayed', [0, 1]],
        ['weft_peer_rtt_seconds', [0.0015]],
        ['weft_peer_mtu_bytes', [1_380, 1_380]],
        ['weft_peer_sent_bytes_total', [10, 10]],
        ['weft_peer_received_bytes_total', [20, 20]],
      ],
    );
  });

  it('differ where two peers have one name', () => {
    deepEqual(labelsOf([row({}), row({ peerId: '3'.repeat(64) })], 'weft_peer_sent_bytes_total'), [
      [`b (${'2'.repeat(16)})`, 10],
      [`b (${'3'.repeat(16)})`, 10],
    ]);
  });
});

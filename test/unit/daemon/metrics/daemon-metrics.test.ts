import { deepEqual, equal, ok } from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { instant } from '../../../../base/instant.ts';
import { peerIdFromBytes } from '../../../../base/peer-id.ts';
import { DAEMON_COUNTERS } from '../../../../daemon/daemon-counters.ts';
import { DAEMON_METRICS, readDaemonMetrics } from '../../../../daemon/metrics/daemon-metrics.ts';
import type { StatusContext } from '../../../../daemon/status/status-context.ts';
import { NO_STATS } from '../../../../router/datapath/datapath.ts';

type Kernel = Parameters<typeof readDaemonMetrics>[1];

/** What a node knows that has so many peers, of which some have left. */
function contextOf(peers: number, left = 0): StatusContext {
  const idOf = (n: number) => {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, n);
    return peerIdFromBytes(bytes);
  };
  const members = Array.from({ length: peers + left }, (_, n) => ({
    peer: idOf(n + 1),
    state: n < peers ? 'alive' : 'left',
    since: instant(0),
    info: { name: `n${n + 1}`, endpoints: [], addresses: [], version: '' },
  }));
  const nameById = new Map(members.map(({ peer, info }) => [peer, info]));
  const node = {
    peer: idOf(0),
    gossip: { members: () => members, links: () => [] },
    tunnels: { status: () => undefined },
    ipam: { status: () => ({ faults: [], orphaned: [], pending: { removals: [] } }) },
    infoOf: (peer: ReturnType<typeof idOf>) => nameById.get(peer),
    seedReach: { reaches: () => [] },
    diskFault: undefined,
  };
  const context = {
    ...{ node, name: 'self', version: '0.1.0', overlayMtu: 1_380 },
    datapath: { name: 'sleeve', features: [], datapath: { stats: () => NO_STATS, totals: () => NO_STATS } },
    counters: new Counters(DAEMON_COUNTERS),
    gauges: () => ({ 'process.uptime': 1 }),
    sought: () => [],
    now: () => instant(0),
    warnings: () => [],
  };
  return context as unknown as StatusContext;
}

const seriesAt = (context: StatusContext, mostPeers: number, counts: object = {}) => {
  const kernel = { counts } as Kernel;
  const reading = readDaemonMetrics(context, kernel, { mostPeers });
  return DAEMON_METRICS.flatMap(({ name, read }) => read(reading).map((sample) => ({ name, ...sample })));
};

describe('the metrics of weftd', () => {
  it('are as many series with 200 peers as with 1,000', () => {
    const [some, many] = [seriesAt(contextOf(200), 50), seriesAt(contextOf(1_000), 50)];
    equal(some.length, many.length);
    ok(some.length > 200 && some.length < 400, `${some.length}`);
    equal(many.find(({ name }) => name === 'weft_peers_without_series')!.value, 1_000);
  });

  it('show each peer where there are few, or where more are asked for', () => {
    const peersIn = (series: ReturnType<typeof seriesAt>) =>
      series.filter(({ name }) => name === 'weft_peer_connected').length;
    deepEqual(
      [
        peersIn(seriesAt(contextOf(50, 30), 50)),
        peersIn(seriesAt(contextOf(51), 50)),
        peersIn(seriesAt(contextOf(200), 200)),
        peersIn(seriesAt(contextOf(1), 0)),
      ],
      [50, 0, 200, 0],
    );
  });

  it('leave out what the kernel does not tell', () => {
    const reasons = (counts: object) =>
      seriesAt(contextOf(0), 50, counts).filter(({ labels }) => labels?.reason === 'rules.dropSpoofed');
    deepEqual(
      reasons({ 'rules.dropSpoofed': 3 }).map(({ value }) => value),
      [3],
    );
    deepEqual(reasons({ 'rules.dropSpoofed': null }), []);
  });
});

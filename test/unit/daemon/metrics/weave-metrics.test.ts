import { deepEqual } from 'node:assert/strict';
import { WEAVE_METRICS } from '../../../../daemon/metrics/weave-metrics.ts';

const READING = {
  counts: { 'tunnel.pathDead': 4 },
  gauges: {
    'tunnel.tunnels': { direct: 3, relayed: 1, handshaking: 2, unreachable: 5, idle: 7 },
    'ipam.addressesUsed': { 4: 6, 6: 8 },
    'ipam.rangeSize': { 4: 1_024, 6: 2_048 },
    'ring.ownersUnreachable': 1,
    'ring.unreachable': { 4: 12.5, 6: 25 },
    'ipam.requestsWaiting': 2,
  },
  datapath: 'sleeve',
};

const read = (reading: typeof READING): Record<string, unknown> =>
  Object.fromEntries(
    WEAVE_METRICS.flatMap(({ name, read }) =>
      read(reading).map(({ value, labels }) => [[name, labels?.state].filter(Boolean).join(' '), value]),
    ),
  );

describe("Weave Net's metrics", () => {
  it("say what Weft's own say, under its names", () => {
    deepEqual(read(READING), {
      'weave_connections established': 4,
      'weave_connections connecting': 2,
      'weave_connections failed': 5,
      'weave_connections pending': 0,
      'weave_connections retrying': 0,
      weave_connection_terminations_total: 4,
      'weave_ips local-used': 6,
      weave_max_ips: 1_024,
      weave_ipam_unreachable_count: 1,
      weave_ipam_unreachable_percentage: 12.5,
      weave_ipam_pending_allocates: 2,
    });
  });

  it('are of IPv6 where the cluster has no IPv4', () => {
    const gauges = { ...READING.gauges, 'ipam.rangeSize': { 4: 0, 6: 2_048 } };
    const { 'weave_ips local-used': used, weave_max_ips: most } = read({ ...READING, gauges });
    deepEqual([used, most], [8, 2_048]);
  });
});

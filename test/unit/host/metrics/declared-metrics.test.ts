import { deepEqual } from 'node:assert/strict';
import { counts, drops } from '../../../../base/counters.ts';
import { gauge, gaugeBy } from '../../../../base/gauges.ts';
import { histogram } from '../../../../base/histograms.ts';
import { counterMetrics, gaugeMetrics, histogramMetrics } from '../../../../host/metrics/declared-metrics.ts';

const COUNTERS = {
  'tunnel.pathDead': counts('Tunnels whose peer answered no longer.'),
  'datapath.inReplay': drops('packet', 'Packets that came twice.'),
  'admission.waitedMs': counts('Milliseconds that starts of pods waited.'),
  'rules.dropSpoofed': drops('packet', 'Packets with a source address that is not theirs.'),
  'health.tooSlow': drops('call', 'Connections that took too long.'),
};
const GAUGES = {
  'process.residentBytes': gauge('bytes', 'Memory in RAM.', () => 0),
  'process.uptime': gauge('seconds', 'Time since the start.', () => 0),
  'gossip.links': gauge('count', 'Connections.', () => 0),
  'ipam.free': gaugeBy({ name: 'family', values: ['4', '6'] }, 'count', 'Addresses.', () => ({ 4: 0, 6: 0 })),
};

describe('counterMetrics', () => {
  const metrics = counterMetrics(COUNTERS);

  it('has one metric for each event, in the units of Prometheus', () => {
    deepEqual(
      metrics.map(({ name, type, labels }) => [name, type, ...labels.map((label) => label.values)]),
      [
        ['weft_dropped_calls_total', 'counter', ['health.tooSlow']],
        ['weft_dropped_packets_total', 'counter', ['datapath.inReplay', 'rules.dropSpoofed']],
        ['weft_tunnel_path_dead_total', 'counter'],
        ['weft_admission_waited_seconds_total', 'counter'],
      ],
    );
    deepEqual(metrics[3]!.help, 'Seconds that starts of pods waited.');
  });

  it('shows at 0 what never happened, and does not show what is not known', () => {
    const reading = {
      counts: { 'datapath.inReplay': 2, 'rules.dropSpoofed': null, 'admission.waitedMs': 1_500 },
    };
    deepEqual(
      metrics.map(({ read }) => read(reading)),
      [
        [{ value: 0, labels: { reason: 'health.tooSlow' } }],
        [{ value: 2, labels: { reason: 'datapath.inReplay' } }],
        [{ value: 0 }],
        [{ value: 1.5 }],
      ],
    );
  });
});

describe('gaugeMetrics', () => {
  it('adds the unit to a name that does not end with it', () => {
    deepEqual(
      gaugeMetrics(GAUGES).map(({ name }) => name),
      ['weft_process_resident_bytes', 'weft_process_uptime_seconds', 'weft_gossip_links', 'weft_ipam_free'],
    );
  });

  it('has a sample for each value of a label, and none of what was not read', () => {
    const gauges = { 'process.uptime': 3, 'ipam.free': { 4: 5, 6: 0 } };
    deepEqual(
      gaugeMetrics(GAUGES).map(({ read }) => read({ gauges })),
      [
        [],
        [{ value: 3 }],
        [],
        [
          { value: 5, labels: { family: '4' } },
          { value: 0, labels: { family: '6' } },
        ],
      ],
    );
  });
});

describe('histogramMetrics', () => {
  it('has a sample for each bound, one for all, and the sum', () => {
    const table = { 'npc.applyTime': histogram([0.5, 2], 'How long it took.') };
    const [metric] = histogramMetrics(table);
    deepEqual([metric!.name, metric!.type], ['weft_npc_apply_time_seconds', 'histogram']);
    deepEqual(metric!.read({ histograms: {} }), []);
    deepEqual(metric!.read({ histograms: { 'npc.applyTime': { atMost: [1, 3], count: 4, sum: 9.5 } } }), [
      { suffix: '_bucket', value: 1, labels: { le: '0.5' } },
      { suffix: '_bucket', value: 3, labels: { le: '2' } },
      { suffix: '_bucket', value: 4, labels: { le: '+Inf' } },
      { suffix: '_sum', value: 9.5 },
      { suffix: '_count', value: 4 },
    ]);
  });
});

import { equal, rejects } from 'node:assert/strict';
import type { Metric } from '../../../../host/metrics/metric.ts';
import { metricsText } from '../../../../host/metrics/metrics-text.io.ts';

const HOSTILE: Metric<{ readonly name: string }> = {
  name: 'weft_peer_connected',
  type: 'gauge',
  help: 'A line\nand a \\ in it.',
  labels: [{ name: 'peer', values: 'names' }],
  read: ({ name }) => [{ value: 1, labels: { peer: name } }],
};
const HISTOGRAM: Metric<unknown> = {
  name: 'weft_apply_seconds',
  type: 'histogram',
  help: 'How long it took.',
  labels: [],
  read: () => [
    { suffix: '_bucket', value: 1, labels: { le: '0.5' } },
    { suffix: '_bucket', value: 2, labels: { le: '+Inf' } },
    { suffix: '_sum', value: 1.25 },
    { suffix: '_count', value: 2 },
  ],
};

describe('metricsText', () => {
  it('writes metrics as Prometheus reads them, whatever a label holds', async () => {
    equal(
      await metricsText([HOSTILE, HISTOGRAM], { name: 'a"}\n\\weft_up 1' }),
      `# HELP weft_peer_connected A line\\nand a \\\\ in it.
# TYPE weft_peer_connected gauge
weft_peer_connected{peer="a\\"}\\n\\\\weft_up 1"} 1

# HELP weft_apply_seconds How long it took.
# TYPE weft_apply_seconds histogram
weft_apply_seconds_bucket{le="0.5"} 1
weft_apply_seconds_bucket{le="+Inf"} 2
weft_apply_seconds_sum 1.25
weft_apply_seconds_count 2
`,
    );
  });

  it('passes on what a reading throws', async () => {
    const read = (): never => {
      throw new Error('no');
    };
    await rejects(metricsText([{ ...HISTOGRAM, read }], {}), /no/);
  });
});

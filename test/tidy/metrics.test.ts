import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Metric } from '../../host/metrics/metric.ts';
import { ALL_METRICS, METRICS_DOC, renderMetrics } from '../../tools/metrics-doc.ts';

/** What is wrong with how a metric is declared, one line each. */
function faultsOf({ name, type, help, labels }: Metric<never>): string[] {
  const faults = [
    [/^(weft|weave|weavenpc)_[a-z0-9]+(_[a-z0-9]+)*$/.test(name), 'its name is no name of ours'],
    [name.endsWith('_total') === (type === 'counter'), 'counters, and nothing else, end with _total'],
    [/^[A-Z1].{14,260}\.$/.test(help), 'its help is no sentence'],
    [labels.every((label) => /^[a-z_]+$/.test(label.name)), 'a label has no name'],
    [new Set(labels.map((label) => label.name)).size === labels.length, 'two labels have one name'],
    [labels.every(({ values }) => values.length > 0), 'a label has no values'],
    // Those that Prometheus gives itself, and those of types that are not used.
    [!labels.some((label) => ['job', 'instance', 'quantile'].includes(label.name)), 'a label is reserved'],
    [type === 'histogram' || !labels.some((label) => label.name === 'le'), 'a label is of histograms'],
  ] as const;
  return faults.flatMap(([fine, what]) => (fine ? [] : [`${name}: ${what}`]));
}

describe('the metrics', () => {
  it('are found at all', () => equal(ALL_METRICS.flatMap(({ metrics }) => metrics).length > 100, true));

  for (const { program, metrics } of ALL_METRICS) {
    it(`of ${program} are declared as Prometheus wants them`, () => deepEqual(metrics.flatMap(faultsOf), []));

    it(`of ${program} have each a name of their own`, () => {
      const names = metrics.map(({ name }) => name);
      deepEqual(
        names.filter((name, at) => names.indexOf(name) !== at),
        [],
      );
    });
  }

  it('are in docs/metrics.md as they are declared', () => {
    equal(readFileSync(METRICS_DOC, 'utf8'), renderMetrics(), 'run bin/weft-node tools/metrics-doc.ts');
  });

  it('are told apart from wrong ones', () => {
    const wrong: Metric<never> = {
      name: 'weft_Packets_total',
      type: 'gauge',
      help: 'none',
      labels: [{ name: 'le', values: [] }],
      read: () => [],
    };
    equal(faultsOf(wrong).length, 5);
  });
});

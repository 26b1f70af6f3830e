import { deepEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_METRICS } from '../../tools/metrics-doc.ts';
import { ROOT } from './source.ts';

const METRICS = ALL_METRICS.flatMap(({ metrics }) => metrics);

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

const text = (name: string): string => readFileSync(join(ROOT, 'monitoring', name), 'utf8');

/** What an expression asks for that no program of ours tells: names of metrics, labels, and values of closed labels. */
function unknownIn(expression: string): string[] {
  const faults: string[] = [];
  for (const [, name = '', selector = ''] of expression.matchAll(
    /\b((?:weft|weave|weavenpc)_[a-z0-9_]+)(?:\{([^}]*)\})?/g,
  )) {
    const metrics = METRICS.filter(
      (metric) =>
        metric.name === name ||
        (metric.type === 'histogram' && name.replace(/_(bucket|sum|count)$/, '') === metric.name),
    );
    if (metrics.length === 0) faults.push(name);
    for (const [, label = '', how = '', value = ''] of selector.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)) {
      if (label === 'instance') continue;
      const declared = metrics.flatMap(({ labels }) => labels.filter((each) => each.name === label));
      const values = declared.flatMap((each) => each.values);
      const isKnown = how.includes('~')
        ? values.some((each) => new RegExp(`^(?:${value})$`).test(each))
        : values.includes(value);
      const isOpen = declared.some((each) => typeof each.values === 'string');
      if (declared.length === 0 || !(isKnown || isOpen)) faults.push(`${name}{${label}${how}"${value}"}`);
    }
  }
  return faults;
}

describe('what Prometheus and Grafana are given', () => {
  const { panels } = JSON.parse(text('grafana-dashboard.json')) as Dashboard;

  it('shows metrics that there are', () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    ok(expressions.length > 20);
    deepEqual(expressions.flatMap(unknownIn), []);
  });

  it('has panels with numbers of their own, and something to show in each', () => {
    const ids = panels.map(({ id }) => id);
    deepEqual([...new Set(ids)], ids);
    deepEqual(
      panels.filter(({ title }) => title === ''),
      [],
    );
  });

  it('alerts by metrics that there are, each of which has a test', () => {
    const [alerts, tests] = [text('alerts.yaml'), text('alerts.test.yaml')];
    deepEqual([alerts, tests].flatMap(unknownIn), []);
    const names = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
    ok(names.length >= 5);
    deepEqual(
      names.filter((name) => !tests.includes(`alertname="${name}"`)),
      [],
    );
  });

  it('is told apart from what there is not', () => {
    deepEqual(
      unknownIn('sum(weft_nothing) + weft_tunnel_tunnels{kind="none"} > weft_gossip_peers{kind="alive"}'),
      ['weft_nothing', 'weft_tunnel_tunnels{kind="none"}', 'weft_gossip_peers{kind="alive"}'],
    );
    deepEqual(
      unknownIn('rate(weft_dropped_packets_total{reason=~"rules[.]dropClear.*",instance=~"a"}[5m])'),
      [],
    );
  });
});

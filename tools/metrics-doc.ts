// Writes docs/metrics.md from the declarations of all metrics: `bin/weft-node tools/metrics-doc.ts`.
// A test fails where the file is not what this program makes.
import { writeFileSync } from 'node:fs';
import { DAEMON_METRICS } from '../daemon/metrics/daemon-metrics.ts';
import type { Metric } from '../host/metrics/metric.ts';
import { NPC_METRICS } from '../npc/metrics/npc-metrics.ts';

/** Where the file is. */
export const METRICS_DOC = new URL('../docs/metrics.md', import.meta.url);

/** All programs that have metrics. */
export const ALL_METRICS: readonly {
  readonly program: string;
  readonly metrics: readonly Metric<never>[];
}[] = [
  { program: 'weftd', metrics: DAEMON_METRICS },
  { program: 'weft-npc', metrics: NPC_METRICS },
];

/** Series that one program can have at most, as far as its declarations say: labels of open values count as one. */
function seriesOf(metrics: readonly Metric<never>[]): number {
  const valuesOf = ({ values, most = 1 }: Metric<never>['labels'][number]): number =>
    typeof values === 'string' ? most : values.length;
  return metrics
    .map(
      ({ type, labels }) =>
        labels.reduce((all, label) => all * valuesOf(label), 1) + (type === 'histogram' ? 2 : 0),
    )
    .reduce((sum, series) => sum + series, 0);
}

/** The text of docs/metrics.md. */
export function renderMetrics(programs = ALL_METRICS): string {
  const sections = programs.map(({ program, metrics }) => {
    const rows = metrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map(labelText).join('; ')} | ${help} |`,
    );
    return `## Metrics of ${program}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  const series = programs.map(
    ({ program, metrics }) => `${Math.ceil(seriesOf(metrics) / 10) * 10} of ${program}`,
  );
  return `${INTRODUCTION.replace('{series}', series.join(', '))}\n${sections.join('\n')}`;
}

const INTRODUCTION = `# Metrics

weftd and weft-npc answer Prometheus where they are told to by \`--metrics-listen ADDRESS:PORT\`: at \`/metrics\`, over HTTP,
to whoever can reach that address, in clear and without a password. Without the flag nothing listens, and nothing is
loaded for it. In \`weave-daemonset.yaml\` it is on: weftd listens at port 6782 of the node's address and weft-npc at 6781,
the ports that Weave Net had. To have it off there, take out the variables \`WEFT_METRICS_LISTEN\` and
\`WEFT_NPC_METRICS_LISTEN\`; to let only Prometheus in, close the ports to others by a firewall.

What is told: counts and states. Names of nodes are in it, and no addresses, no pods and no secrets. A port that another
program has is told by \`weft status\` (\`W_METRICS_PORT\`) and tried again; the network does not wait for it.

An answer is made once a second at most, and all who ask meanwhile get the same. A host that asks more than five times a
second is answered 429, and where more than a hundred a second connect, nobody is answered for a second: packets of pods
go first. What was refused is counted (\`metrics.…\` in [counters.md](counters.md)).

## A dashboard, alerts, and how Prometheus finds all nodes

In the folder \`monitoring/\`:

- \`grafana-dashboard.json\`: a dashboard of Grafana (10 and later; Dashboards, New, Import). It asks which Prometheus.
- \`alerts.yaml\`: sixteen alerts, as a rules file of Prometheus. Each says what is wrong on which node, and what to do.
  \`promtool test rules alerts.test.yaml\` shows when they fire.
- \`pod-monitor.yaml\`: an example for the Prometheus operator. The manifest declares no ports, as it says there, so the
  example puts them into the addresses; a \`kubernetes_sd_configs\` of your own (role \`pod\`) can do the same.

Elsewhere a list of nodes does: \`static_configs: [{ targets: ["192.0.2.1:6782", "192.0.2.2:6782"] }]\`.

## How many series

At most some {series}, whatever the size of the cluster, and seven for each other node where there are at most
\`--metrics-peers\` of them (50, if nothing is said; 0 for none). In a larger cluster no node has series of its own, since
those of n nodes are n²; \`weft_tunnel_…\` says how all tunnels of a node stand together, and \`weft_peers_without_series\`
how many were left out.

## What was dropped

\`weft_dropped_packets_total\` and its like have a label \`reason\`. It is the name under which the counter stands in
[counters.md](counters.md) and in \`weft report\`, so that file says what each means. All reasons are there from the
start, at 0, so that an increase is seen from the first drop on. What the kernel counts (\`rules.…\`, \`gate.…\`,
\`policy.…\`) begins again at 0 when the rules are set anew, which Prometheus takes for what it is. What policies deny is
told by weft-npc, all else by weftd. How long starts of pods waited for weft-npc, weftd tells
(\`weft_admission_waited_seconds_total\`).

## Weave Net's metrics

They are there under their names, for dashboards and alerts that exist. \`weave_flows\`, \`weave_dns_entries\` and
\`weave_ipam_pending_claims\` are not: Weft has no flows of the kind, no DNS of its own and no claims.

This file is made from the declarations in the code by \`bin/weft-node tools/metrics-doc.ts\`.
`;

/** \`state\`: a, b; of more than a few values only that they are in counters.md. */
function labelText({ name, values }: Metric<never>['labels'][number]): string {
  if (typeof values === 'string') return `\`${name}\`: ${values}`;
  if (values.length > 12) return `\`${name}\`: ${values.length} values, in counters.md`;
  return `\`${name}\`: ${values.join(', ')}`;
}

if (import.meta.main) {
  if (process.argv.length > 2) {
    console.error(`tools/metrics-doc.ts: unknown argument '${process.argv[2]}'; it takes none`);
    process.exit(2);
  }
  writeFileSync(METRICS_DOC, renderMetrics());
}

import type { CounterDeclaration, CounterTable } from '../../base/counters.ts';
import type { Gauge, GaugeReading } from '../../base/gauges.ts';
import type { HistogramReading, HistogramTable } from '../../base/histograms.ts';
import type { Metric, Sample } from './metric.ts';

/** What counters have counted, by name. Absent: nothing yet. Null: it cannot be read at present. */
export type Counts = Readonly<Record<string, number | null>>;

/** The metrics of all counters of a table: one for each event, and one for each kind of thing that is dropped, by reason. */
export function counterMetrics(table: CounterTable): Metric<{ readonly counts: Counts }>[] {
  const entries = Object.entries(table);
  const things = new Set(entries.flatMap(([, { drops }]) => drops ?? []));
  return [
    ...[...things].sort().map((thing) =>
      dropMetric(
        thing,
        entries.filter(([, { drops }]) => drops === thing).map(([name]) => name),
      ),
    ),
    ...entries
      .filter(([, { drops }]) => drops === undefined)
      .map(([name, event]) => eventMetric(name, event)),
  ];
}

/** The metrics of all gauges of a table. */
export function gaugeMetrics(
  table: Readonly<Record<string, Omit<Gauge<never>, 'read'>>>,
): Metric<{ readonly gauges: Readonly<Record<string, GaugeReading>> }>[] {
  return Object.entries(table).map(([name, { help, unit, label }]) => ({
    name: withUnit(snakeName(name), unit),
    type: 'gauge',
    help,
    labels: label === undefined ? [] : [label],
    read: ({ gauges }) => samplesOf(gauges[name], label?.name),
  }));
}

/** The metrics of all histograms of a table. */
export function histogramMetrics(
  table: HistogramTable,
): Metric<{ readonly histograms: Readonly<Record<string, HistogramReading>> }>[] {
  return Object.entries(table).map(([name, { help, unit, bounds }]) => ({
    name: withUnit(snakeName(name), unit),
    type: 'histogram',
    help,
    labels: [{ name: 'le', values: [...bounds.map(String), '+Inf'] }],
    read: ({ histograms }) => {
      const reading = histograms[name];
      if (reading === undefined) return [];
      const { atMost, count, sum } = reading;
      const classes = bounds.map((bound, at) => [String(bound), atMost[at] ?? 0] as const);
      return [
        ...[...classes, ['+Inf', count] as const].map(([le, value]) => ({
          suffix: '_bucket' as const,
          value,
          labels: { le },
        })),
        { suffix: '_sum', value: sum },
        { suffix: '_count', value: count },
      ];
    },
  }));
}

function dropMetric(thing: string, names: readonly string[]): Metric<{ readonly counts: Counts }> {
  return {
    name: `weft_dropped_${thing}s_total`,
    type: 'counter',
    help: `What was dropped or refused of ${thing}s, by the reason that docs/counters.md explains.`,
    labels: [{ name: 'reason', values: names }],
    read: ({ counts }) =>
      names.flatMap((reason) => known(counts[reason]).map((value) => ({ value, labels: { reason } }))),
  };
}

function eventMetric(name: string, { help }: CounterDeclaration): Metric<{ readonly counts: Counts }> {
  const isTime = /Ms$/.test(name);
  return {
    name: isTime ? `${snakeName(name.slice(0, -2))}_seconds_total` : `${snakeName(name)}_total`,
    type: 'counter',
    help: isTime ? help.replace(/^Milliseconds/, 'Seconds') : help,
    labels: [],
    read: ({ counts }) => known(counts[name]).map((value) => ({ value: isTime ? value / 1000 : value })),
  };
}

function known(count: number | null | undefined): number[] {
  return count === null ? [] : [count ?? 0];
}

function samplesOf(reading: GaugeReading | undefined, label: string | undefined): Sample[] {
  if (reading === undefined) return [];
  if (typeof reading === 'number') return [{ value: reading }];
  return Object.entries(reading).map(([value, number]) => ({
    value: number,
    labels: { [label ?? '']: value },
  }));
}

/** `tunnel.peerRestarted` as `weft_tunnel_peer_restarted`. */
function snakeName(name: string): string {
  return `weft_${name.replace('.', '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}

function withUnit(name: string, unit: Gauge<never>['unit']): string {
  return unit === 'count' || name.endsWith(`_${unit}`) ? name : `${name}_${unit}`;
}

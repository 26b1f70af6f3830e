import { createRequire } from 'node:module';
import type { Registry } from 'prom-client';
import type { Metric } from './metric.ts';

/**
 * Of prom-client only what writes the text is loaded, which takes 1 MB. With its default metrics, its gateway and its
 * cluster, which are not used, and the packages and parts of Node.js that these load, it takes 23.
 */
const RegistryOfPackage = createRequire(import.meta.url)('prom-client/lib/registry') as typeof Registry;

export const METRICS_TYPE = RegistryOfPackage.PROMETHEUS_CONTENT_TYPE;

/**
 * What `source` says now, in Prometheus' text format. One metric after the other: what each is made from can then be
 * forgotten before the next, and V8 gives the heap less room.
 */
export async function metricsText<Source>(
  metrics: readonly Metric<Source>[],
  source: Source,
): Promise<string> {
  const registry = new RegistryOfPackage();
  const texts: string[] = [];
  for (const metric of metrics) {
    registry.registerMetric(asRegistered(metric, source));
    texts.push(await registry.getSingleMetricAsString(metric.name));
  }
  return `${texts.join('\n\n')}\n`;
}

/** A registry asks what is registered for its values, whatever that is. Its types know only the classes of the package. */
function asRegistered<Source>(
  { name, help, type, read }: Metric<Source>,
  source: Source,
): Parameters<Registry['registerMetric']>[0] {
  const get = async () => ({
    name,
    help,
    type,
    values: read(source).map(({ value, labels = {}, suffix = '' }) => ({
      value,
      labels,
      metricName: `${name}${suffix}`,
    })),
  });
  return { name, get } as unknown as Parameters<Registry['registerMetric']>[0];
}

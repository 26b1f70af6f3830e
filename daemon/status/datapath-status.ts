import type { DatapathStatus } from '../../control/control-protocol.ts';
import type { OpenDatapath } from '../../router/datapath/datapath.ts';

/** What runs, what it seals with, and what of it this host does not have. */
export function datapathStatus({
  name,
  suites,
  features,
}: Pick<OpenDatapath, 'name' | 'suites' | 'features'>): DatapathStatus {
  const without = features.flatMap(({ name: feature, fault }) =>
    fault === undefined ? [] : [{ feature, fault }],
  );
  return { name, suites, without };
}

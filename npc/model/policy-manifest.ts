import { isRecord } from '../../kube/objects.ts';
import { readClusterNetworkPolicy } from './cluster-network-policy.ts';
import { readNetworkPolicy } from './network-policy.ts';
import type { Policy } from './policy.ts';

/** Most policies of one manifest. */
const MAX_POLICIES = 1000;

/**
 * Policies as somebody writes them before they are applied: one object, a list of kind List, or an array of objects. They
 * may lack what the API server adds: a namespace (then it is `namespace`), UID and version. A text says what is wrong.
 */
export function readPolicyManifest(value: unknown, namespace = 'default'): readonly Policy[] | string {
  const items = Array.isArray(value)
    ? (value as unknown[])
    : isRecord(value) && value.kind === 'List' && Array.isArray(value.items)
      ? (value.items as unknown[])
      : [value];
  if (items.length === 0) return 'it holds no object';
  if (items.length > MAX_POLICIES) return `it holds more than ${MAX_POLICIES} objects`;
  const policies: Policy[] = [];
  for (const [i, item] of items.entries()) {
    const kind = isRecord(item) ? item.kind : undefined;
    if (!isRecord(item) || (kind !== 'NetworkPolicy' && kind !== 'ClusterNetworkPolicy'))
      return `object ${i} is neither a NetworkPolicy nor a ClusterNetworkPolicy`;
    const metadata = {
      ...(kind === 'NetworkPolicy' ? { namespace } : {}),
      uid: 'not-applied',
      resourceVersion: '0',
      ...(isRecord(item.metadata) ? item.metadata : {}),
    };
    const read = kind === 'NetworkPolicy' ? readNetworkPolicy : readClusterNetworkPolicy;
    const policy = read({ ...item, metadata });
    if (policy === undefined) return `object ${i} has no name or namespace that the API would take`;
    policies.push(policy);
  }
  return policies;
}

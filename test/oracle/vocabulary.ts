import type { Cluster, Family, Pod } from './api-objects.ts';
import { familyOf } from './cidr.ts';

/** Labels of pods and namespaces: few, so that selectors often meet them. */
export const POD_LABELS = { app: ['a', 'b', ''], tier: ['a', 'b'] } as const;
export const NAMESPACE_LABELS = { env: ['a', 'b'], team: ['a', ''] } as const;
export const NODE_LABELS = { zone: ['a', 'b'] } as const;
/** Labels that nobody has. */
export const STRANGERS = ['none', 'constructor', '__proto__', 'toString'] as const;
export const PORT_NAMES = ['web', 'dns', 'web-alt'] as const;
export const PORTS = [1, 53, 80, 81, 443, 8080, 65535] as const;

/** What the API says of each object. */
export function objectMeta(name: string): { name: string; uid: string; resourceVersion: string } {
  return { name, uid: `uid-${name}`, resourceVersion: '1' };
}

/** The addresses that the API tells of a pod, whether or not it still has them. */
export function addressesToldOf({ status }: Pod): string[] {
  const first = status?.podIP ?? undefined;
  return [...(first === undefined ? [] : [first]), ...(status?.podIPs ?? []).map(({ ip }) => ip)];
}

/** Every address that somebody in the cluster has or had, of a family. */
export function addressesIn(cluster: Cluster, family: Family): string[] {
  const all = [
    ...cluster.pods.flatMap(addressesToldOf),
    ...cluster.nodes.flatMap(({ status }) => (status?.addresses ?? []).map(({ address }) => address)),
    ...Object.values(cluster.overlayAddressesByNode).flat(),
  ];
  return [...new Set(all)].filter((address) => familyOf(address) === family);
}

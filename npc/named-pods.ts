import { MAX_NAMED_LABELS, type NamedPod } from '../control/npc-request.ts';
import type { ClusterIndex } from './compiler/cluster-index.ts';

/** The pods that have these addresses now, each address by itself; those that nobody or several have are left out. */
export function namedPods(cluster: Pick<ClusterIndex, 'podsAt'>, addresses: readonly string[]): NamedPod[] {
  return addresses.flatMap((address) => {
    const [pod, ...others] = cluster
      .podsAt(address)
      .filter(({ hostNetwork, hasEnded }) => !hostNetwork && !hasEnded);
    if (pod === undefined || others.length > 0) return [];
    const labels = Object.fromEntries([...pod.labels].slice(0, MAX_NAMED_LABELS));
    return [{ address, namespace: pod.namespace, name: pod.name, labels }];
  });
}

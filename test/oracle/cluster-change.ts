import type { Cluster } from './api-objects.ts';
import type { Dice } from './dice.ts';
import { addressesToldOf, POD_LABELS } from './vocabulary.ts';

/**
 * A cluster some time later: objects have gone and come, pods have other labels and phases, or have been made anew under
 * the name of an old one, and nodes have other addresses, and pods other ranges. `other` is where what comes is taken from.
 */
export function changeCluster(dice: Dice, cluster: Cluster, other: Cluster): Cluster {
  const some = <T>(items: readonly T[], percent: number): T[] => items.filter(() => dice.chance(percent));
  const merge = <T>(before: readonly T[], now: readonly T[], keyOf: (item: T) => string): T[] => {
    const byKey = new Map([...some(before, 80), ...some(now, 30)].map((item) => [keyOf(item), item]));
    return [...byKey.values()];
  };
  const kept = merge(cluster.pods, [], ({ metadata }) => metadata.name).map((pod) => {
    const kind = dice.between(1, 8);
    const { metadata, status } = pod;
    if (kind === 1)
      return {
        ...pod,
        metadata: {
          ...metadata,
          labels: { app: dice.oneOf(POD_LABELS.app), tier: dice.oneOf(POD_LABELS.tier) },
        },
      };
    if (kind === 2) return { ...pod, metadata: { ...metadata, uid: `${metadata.uid}-a` } };
    if (kind === 3 && status) return { ...pod, status: { ...status, phase: 'Succeeded' } };
    return pod;
  });
  const addresses = new Set(kept.flatMap(addressesToldOf));
  const overlay = dice.chance(70) ? cluster.overlayAddressesByNode : {};
  const taken = new Set([...addresses, ...Object.values(overlay).flat()]);
  const came = other.pods.filter(
    (pod) =>
      kept.every(({ metadata }) => metadata.name !== pod.metadata.name) &&
      addressesToldOf(pod).every((address) => !taken.has(address)),
  );
  const isNew = dice.between(1, 1_000_000);
  return {
    namespaces: cluster.namespaces.map((namespace) =>
      dice.chance(80)
        ? namespace
        : (other.namespaces.find(({ metadata }) => metadata.name === namespace.metadata.name) ?? namespace),
    ),
    nodes: dice.chance(70)
      ? cluster.nodes
      : merge(cluster.nodes, other.nodes, ({ metadata }) => metadata.name),
    pods: [
      ...kept,
      ...came
        .filter(({ metadata }) => cluster.namespaces.some((one) => one.metadata.name === metadata.namespace))
        .map((pod) => ({ ...pod, metadata: { ...pod.metadata, uid: `${pod.metadata.uid}-${isNew}` } })),
    ],
    networkPolicies: merge(
      cluster.networkPolicies,
      other.networkPolicies,
      ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
    ).filter(({ metadata }) => cluster.namespaces.some((one) => one.metadata.name === metadata.namespace)),
    clusterNetworkPolicies: merge(
      cluster.clusterNetworkPolicies,
      other.clusterNetworkPolicies,
      ({ metadata }) => metadata.name,
    ),
    overlayAddressesByNode: overlay,
    podRanges: dice.chance(85) ? (cluster.podRanges ?? []) : (other.podRanges ?? []),
  };
}

import type { PolicyPod } from '../model/pod.ts';
import { DIRECTIONS, type Direction, type Policy, type PolicyRule } from '../model/policy.ts';
import type { NamedPort } from '../model/port-match.ts';
import type { ClusterIndex } from './cluster-index.ts';

/**
 * Names of ports in a policy that none of the pods has that it could mean, in the whole cluster: a clause each. Those of
 * ingress are ports of the pods that it selects, those of egress are ports of the peers. Where there are no such pods,
 * nothing can be said.
 */
export function unservedPorts(cluster: ClusterIndex, policy: Policy): readonly string[] {
  const notes = new Set<string>();
  for (const direction of DIRECTIONS) {
    for (const rule of policy.rules[direction] ?? []) {
      const names = rule.ports === 'any' ? [] : rule.ports.filter((port) => port.kind === 'named');
      if (names.length === 0) continue;
      const pods = [...podsMeant(cluster, policy, direction, rule)];
      if (pods.length === 0) continue;
      for (const port of names)
        if (!pods.some((pod) => hasPort(pod, port)))
          notes.add(
            `${direction}: port ${JSON.stringify(port.name.slice(0, 63))} is none of any pod that is meant`,
          );
    }
  }
  return [...notes];
}

function* podsMeant(
  cluster: ClusterIndex,
  { subject }: Policy,
  direction: Direction,
  { peers }: PolicyRule,
): Iterable<PolicyPod> {
  if (subject === undefined) return;
  for (const namespace of cluster.namespaceNames()) {
    for (const pod of cluster.podsIn(namespace)) {
      if (pod.hasEnded || pod.hostNetwork) continue;
      const isMeant =
        direction === 'ingress'
          ? cluster.selectsPod(subject, pod)
          : // By its address it could be any.
            peers === 'any' ||
            peers.some((peer) =>
              peer.kind === 'pods' ? cluster.selectsPod(peer.pods, pod) : peer.kind === 'blocks',
            );
      if (isMeant) yield pod;
    }
  }
}

function hasPort({ namedPorts }: PolicyPod, { name, protocol }: NamedPort): boolean {
  return namedPorts.some((port) => port.name === name && (protocol ?? port.protocol) === port.protocol);
}

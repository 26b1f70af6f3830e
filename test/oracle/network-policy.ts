import type {
  Cluster,
  Flow,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicyRule,
  Pod,
} from './api-objects.ts';
import { type End, isNamedPort, namespaceLabels, rangeMeans } from './ends.ts';
import { selects } from './label-selector.ts';

/** What a tier says of one direction of a flow; `next` leaves it to the tier after it. */
export interface TierVerdict {
  readonly verdict: 'accept' | 'deny' | 'next';
  readonly why: string;
}

export type Direction = 'ingress' | 'egress';

/**
 * What the NetworkPolicies say of one direction of a flow: nothing of a pod that none of them selects for the
 * direction, else whether any rule of any of them lets it pass.
 *
 * @param subject The pod whose traffic is judged: the destination of ingress, the source of egress.
 * @param peer The other end.
 * @param destination The pod whose ports the flow is about, if it is a pod.
 *
 * Source: the text of kubernetes/api networking/v1 types.go.
 */
export function judgeByNetworkPolicies(
  cluster: Cluster,
  direction: Direction,
  subject: Pod,
  peer: End,
  destination: Pod | undefined,
  flow: Flow,
): TierVerdict {
  const isolating = cluster.networkPolicies.filter((policy) => isolates(policy, subject, direction));
  if (isolating.length === 0) return { verdict: 'next', why: 'no NetworkPolicy isolates the pod' };
  // "A pod to itself" is never denied by this tier, and a policy that isolates the pod decides for good.
  if (peer.pod === subject) return { verdict: 'accept', why: 'a pod reaches itself' };
  for (const policy of isolating) {
    for (const [index, rule] of (policy.spec?.[direction] ?? []).entries()) {
      const peers = direction === 'ingress' ? rule.from : rule.to;
      const isPeer = isEmpty(peers) || peers!.some((one) => peerMatches(cluster, policy, one, peer));
      if (isPeer && portsMatch(rule, destination, flow))
        return { verdict: 'accept', why: `rule ${index} of NetworkPolicy ${label(policy)} allows it` };
    }
  }
  return { verdict: 'deny', why: `no rule of NetworkPolicy ${isolating.map(label).join(', ')} allows it` };
}

function label({ metadata }: NetworkPolicy): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function isEmpty(list: readonly unknown[] | null | undefined): boolean {
  return list === null || list === undefined || list.length === 0;
}

/** Whether a policy selects a pod, and is about the direction. */
export function isolates(policy: NetworkPolicy, pod: Pod, direction: Direction): boolean {
  if (policy.metadata.namespace !== pod.metadata.namespace) return false;
  if (!selects(policy.spec?.podSelector ?? {}, pod.metadata.labels ?? {})) return false;
  const types = policy.spec?.policyTypes ?? [];
  // Not specified: every policy is about ingress, and one with rules of egress about that too.
  if (types.length === 0) return direction === 'ingress' || !isEmpty(policy.spec?.egress);
  return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
}

function peerMatches(cluster: Cluster, policy: NetworkPolicy, peer: NetworkPolicyPeer, end: End): boolean {
  const podSelector = peer.podSelector ?? undefined;
  const namespaceSelector = peer.namespaceSelector ?? undefined;
  const ipBlock = peer.ipBlock ?? undefined;
  if (ipBlock !== undefined) {
    // "If this field is set then neither of the other fields can be."
    if (podSelector !== undefined || namespaceSelector !== undefined) return false;
    return rangeMeans(cluster, { cidr: ipBlock.cidr, except: ipBlock.except ?? [] }, end.address);
  }
  // A peer of which no field is known: nobody is meant.
  if (podSelector === undefined && namespaceSelector === undefined) return false;
  if (end.pod === undefined) return false;
  if (namespaceSelector === undefined) {
    if (end.pod.metadata.namespace !== policy.metadata.namespace) return false;
  } else {
    const labels = namespaceLabels(cluster, end.pod);
    if (labels === undefined || !selects(namespaceSelector, labels)) return false;
  }
  return podSelector === undefined || selects(podSelector, end.pod.metadata.labels ?? {});
}

function portsMatch(rule: NetworkPolicyRule, destination: Pod | undefined, flow: Flow): boolean {
  return isEmpty(rule.ports) || rule.ports!.some((port) => portMatches(port, destination, flow));
}

function portMatches(entry: NetworkPolicyPort, destination: Pod | undefined, flow: Flow): boolean {
  if ((entry.protocol ?? 'TCP') !== flow.protocol || flow.port === undefined) return false;
  const port = entry.port ?? undefined;
  const endPort = entry.endPort ?? undefined;
  // "This field cannot be defined if the port field is not defined or is a named (string) port."
  if (endPort !== undefined && typeof port !== 'number') return false;
  if (port === undefined) return true;
  if (typeof port === 'string') return isNamedPort(destination, port, flow.protocol, flow.port);
  return port <= flow.port && flow.port <= (endPort ?? port);
}

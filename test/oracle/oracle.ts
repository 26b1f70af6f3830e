import type { Cluster, Flow, Pod } from './api-objects.ts';
import { judgeByClusterNetworkPolicies, podsMatch } from './cluster-network-policy.ts';
import { type End, endOf, isOwnNode } from './ends.ts';
import { type Direction, isolates, judgeByNetworkPolicies, type TierVerdict } from './network-policy.ts';

const DIRECTIONS = ['ingress', 'egress'] as const;

/** Whether a flow is allowed, by the source's egress and by the destination's ingress; a line for each thing asked. */
export interface Judgement {
  readonly allowed: boolean;
  readonly egress: boolean;
  readonly ingress: boolean;
  readonly why: readonly string[];
}

/**
 * The second opinion on every policy: written from the API's text alone, without knowledge of the compiler, and as
 * plain as can be: each flow asks each object anew.
 *
 * A flow passes where the source's egress and the destination's ingress both let it. What the API leaves open is this:
 * - A range of addresses that holds a node's InternalIP means that node's overlay addresses too, of either family, in
 *   `ipBlock` and in `networks`. It matches addresses of pods as any other.
 * - What comes from a pod's own node is never judged, by no tier; what a pod sends to its node is.
 * - A pod always reaches its own address. By a Service NetworkPolicy never denies it, and accepts it for good where one
 *   isolates the pod; ClusterNetworkPolicy is judged as for any other peer.
 * - A pod of the host's network is its node: not selected, no peer, without named ports.
 * - A named port is each port of that name and protocol in the destination pod, its sidecars among its containers.
 * - Policies of the same priority go by name.
 * - An address of the pods' ranges of which the API tells of no owner may be that of any pod. A flow from or to it
 *   passes where it would whichever pod that is: see {@link judgeByClusterNetworkPolicies}.
 * - A rule of ClusterNetworkPolicy with a peer, protocol or action that is not known, without a peer, or with a network
 *   that is no CIDR, fails closed as a whole. In NetworkPolicy such a peer or port matches nothing.
 *
 * @throws Where the flow names a pod that is not there, or that has no address of the family: there is no such flow.
 */
export function judge(cluster: Cluster, flow: Flow): Judgement {
  const source = endOf(cluster, flow.source, flow.family);
  const destination = endOf(cluster, flow.destination, flow.family);
  if (source.pod !== undefined && source.pod === destination.pod && flow.viaService !== true)
    return { allowed: true, egress: true, ingress: true, why: ['a pod always reaches itself'] };
  const why: string[] = [];
  const egress =
    source.pod === undefined ||
    judgeDirection(cluster, 'egress', source.pod, destination, destination.pod, flow, why);
  const isFromNode = destination.pod !== undefined && isOwnNode(cluster, destination.pod, source.address);
  if (isFromNode) why.push('ingress: a node always reaches its pods');
  const ingress =
    destination.pod === undefined ||
    isFromNode ||
    judgeDirection(cluster, 'ingress', destination.pod, source, destination.pod, flow, why);
  return { allowed: egress && ingress, egress, ingress, why };
}

/** Whether any policy, of any tier and direction, has a pod for its subject. */
export function isSelected(cluster: Cluster, pod: Pod): boolean {
  return (
    cluster.networkPolicies.some((policy) =>
      DIRECTIONS.some((direction) => isolates(policy, pod, direction)),
    ) || cluster.clusterNetworkPolicies.some(({ spec }) => podsMatch(cluster, spec.subject, pod))
  );
}

/** The tiers in their order: the first that decides does so for good, and where none does the flow passes. */
function judgeDirection(
  cluster: Cluster,
  direction: Direction,
  subject: Pod,
  peer: End,
  destination: Pod | undefined,
  flow: Flow,
  why: string[],
): boolean {
  const tiers: (() => TierVerdict)[] = [
    () => judgeByClusterNetworkPolicies(cluster, 'Admin', direction, subject, peer, flow),
    () => judgeByNetworkPolicies(cluster, direction, subject, peer, destination, flow),
    () => judgeByClusterNetworkPolicies(cluster, 'Baseline', direction, subject, peer, flow),
  ];
  for (const tier of tiers) {
    const said = tier();
    why.push(`${direction}: ${said.why}`);
    if (said.verdict !== 'next') return said.verdict === 'accept';
  }
  return true;
}

import type { Cluster, Flow, Pod } from './api-objects.ts';
import { judgeByClusterNetworkPolicies } from './cluster-network-policy.ts';
import { type End, endOf, isOwnNode } from './ends.ts';
import { type Direction, judgeByNetworkPolicies, type TierVerdict } from './network-policy.ts';

/** Whether a flow is allowed, and a line for each thing that was asked. */
export interface Judgement {
  readonly allowed: boolean;
  readonly why: readonly string[];
}

/**
 * The second opinion on every policy: written from the API's text alone, without knowledge of the compiler, and as
 * plain as can be: each flow asks each object anew. What the API leaves open is as the README says it.
 *
 * A flow passes where the source's egress and the destination's ingress both let it.
 *
 * @throws Where the flow names a pod that is not there, or that has no address of the family: there is no such flow.
 */
export function judge(cluster: Cluster, flow: Flow): Judgement {
  const source = endOf(cluster, flow.source, flow.family);
  const destination = endOf(cluster, flow.destination, flow.family);
  if (source.pod !== undefined && source.pod === destination.pod && flow.viaService !== true)
    return { allowed: true, why: ['a pod always reaches itself'] };
  const why: string[] = [];
  let allowed = true;
  if (source.pod !== undefined) {
    allowed &&= judgeDirection(cluster, 'egress', source.pod, destination, destination.pod, flow, why);
  }
  if (destination.pod !== undefined) {
    if (isOwnNode(cluster, destination.pod, source.address))
      why.push('ingress: a node always reaches its pods');
    else
      allowed =
        judgeDirection(cluster, 'ingress', destination.pod, source, destination.pod, flow, why) && allowed;
  }
  return { allowed, why };
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
    () => judgeByClusterNetworkPolicies(cluster, 'Admin', direction, subject, peer, destination, flow),
    () => judgeByNetworkPolicies(cluster, direction, subject, peer, destination, flow),
    () => judgeByClusterNetworkPolicies(cluster, 'Baseline', direction, subject, peer, destination, flow),
  ];
  for (const tier of tiers) {
    const said = tier();
    why.push(`${direction}: ${said.why}`);
    if (said.verdict !== 'next') return said.verdict === 'accept';
  }
  return true;
}

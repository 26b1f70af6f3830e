import { formatAddress, parseAddress } from '../../base/address.ts';
import { parseCidr } from '../../base/range.ts';
import { ClusterIndex } from '../../npc/compiler/cluster-index.ts';
import type { Judged } from '../../npc/compiler/decide.ts';
import { PolicyIndex } from '../../npc/compiler/policy-index.ts';
import { readClusterNetworkPolicy } from '../../npc/model/cluster-network-policy.ts';
import { readNamespace, readPolicyNode } from '../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../npc/model/labels.ts';
import { readNetworkPolicy } from '../../npc/model/network-policy.ts';
import { readPod } from '../../npc/model/pod.ts';

/** Objects as the API gives them, the overlay addresses of nodes by their names, and the ranges of pods. */
export interface ClusterObjects {
  readonly pods: readonly unknown[];
  readonly namespaces: readonly unknown[];
  readonly nodes: readonly unknown[];
  readonly networkPolicies: readonly unknown[];
  readonly clusterNetworkPolicies: readonly unknown[];
  readonly overlayAddresses: Readonly<Record<string, readonly string[]>>;
  readonly podRanges?: readonly string[];
}

/** A whole cluster at once, to ask `decide` about: `decide(clusterSnapshot(objects), flow)`. What is no object is passed over. */
export function clusterSnapshot(objects: ClusterObjects): Judged {
  const labelSets = new LabelSets();
  const cluster = new ClusterIndex();
  const policies = new PolicyIndex();
  for (const value of objects.namespaces) {
    const namespace = readNamespace(value, labelSets);
    if (namespace !== undefined) cluster.putNamespace(namespace);
  }
  for (const value of objects.nodes) {
    const node = readPolicyNode(value, labelSets);
    if (node !== undefined) cluster.putNode(node);
  }
  for (const value of objects.pods) {
    const pod = readPod(value, labelSets);
    if (pod !== undefined) cluster.putPod(pod);
  }
  const read = [
    ...objects.networkPolicies.map(readNetworkPolicy),
    ...objects.clusterNetworkPolicies.map(readClusterNetworkPolicy),
  ];
  for (const policy of read) if (policy !== undefined) policies.put(policy);
  cluster.setOverlay(overlayOf(objects.overlayAddresses));
  cluster.setPodRanges((objects.podRanges ?? []).map((cidr) => parseCidr(cidr)!));
  return { cluster, policies };
}

function overlayOf(listed: Readonly<Record<string, readonly string[]>>): Map<string, readonly string[]> {
  const overlay = new Map<string, readonly string[]>();
  for (const [node, texts] of Object.entries(listed)) {
    const addresses = texts.map(parseAddress).filter((address) => address !== undefined);
    overlay.set(node, addresses.map(formatAddress));
  }
  return overlay;
}

import type {
  Cluster,
  ClusterNetworkPolicyPeer,
  ClusterNetworkPolicyProtocol,
  ClusterNetworkPolicyRule,
  DestinationPort,
  Flow,
  NamespacedPod,
  Pod,
} from './api-objects.ts';
import { isSameAddress, prefixOf } from './cidr.ts';
import { addressesOfNode, type End, isNamedPort, namespaceLabels, rangeMeans } from './ends.ts';
import { selects } from './label-selector.ts';
import type { Direction, TierVerdict } from './network-policy.ts';

/** The fields of a peer that are known. `domainNames` is not: nobody here knows which addresses a name has. */
const KNOWN_PEERS: Readonly<Record<Direction, readonly string[]>> = {
  ingress: ['namespaces', 'pods'],
  egress: ['namespaces', 'pods', 'nodes', 'networks'],
};
const KNOWN_PROTOCOLS = ['tcp', 'udp', 'sctp', 'destinationNamedPort'];

/**
 * What the ClusterNetworkPolicies of one tier say of one direction of a flow: what the first rule says that matches,
 * in the order of priorities, then names, then of the rules in a policy. A Pass, and no rule, leave it to the next tier.
 *
 * @param subject The pod whose traffic is judged: the destination of ingress, the source of egress.
 * @param peer The other end.
 * @param destination The pod whose ports the flow is about, if it is a pod.
 *
 * Source: the text of sigs.k8s.io/network-policy-api apis/v1beta1 clusternetworkpolicy_types.go.
 */
export function judgeByClusterNetworkPolicies(
  cluster: Cluster,
  tier: 'Admin' | 'Baseline',
  direction: Direction,
  subject: Pod,
  peer: End,
  destination: Pod | undefined,
  flow: Flow,
): TierVerdict {
  const policies = cluster.clusterNetworkPolicies
    .filter(({ spec }) => spec.tier === tier && podsMatch(cluster, spec.subject, subject))
    .sort((a, b) => a.spec.priority - b.spec.priority || (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const policy of policies) {
    for (const [index, rule] of (policy.spec[direction] ?? []).entries()) {
      const why = `rule ${index} (${rule.action}) of ${tier} ClusterNetworkPolicy ${policy.metadata.name}`;
      if (!isKnown(rule, direction)) {
        // Fail closed: an Accept matches no traffic, a Deny or Pass denies all.
        if (rule.action === 'Accept') continue;
        return { verdict: 'deny', why: `${why} is not understood` };
      }
      const peers = (direction === 'ingress' ? rule.from : rule.to) ?? [];
      if (!peers.some((one) => peerMatches(cluster, one, peer))) continue;
      if (!protocolsMatch(rule, destination, flow)) continue;
      if (rule.action === 'Accept') return { verdict: 'accept', why };
      if (rule.action === 'Pass') return { verdict: 'next', why };
      return { verdict: 'deny', why };
    }
  }
  return { verdict: 'next', why: `no rule of the ${tier} tier matches` };
}

/** Whether a subject or a peer selects a pod by `namespaces` or `pods`. */
export function podsMatch(
  cluster: Cluster,
  by: Pick<ClusterNetworkPolicyPeer, 'namespaces' | 'pods'>,
  pod: Pod | undefined,
): boolean {
  const labels = pod && namespaceLabels(cluster, pod);
  if (pod === undefined || labels === undefined) return false;
  if (isSet(by.namespaces)) return selects(by.namespaces!, labels);
  if (!isSet(by.pods)) return false;
  const { namespaceSelector, podSelector } = by.pods as NamespacedPod;
  return selects(namespaceSelector ?? {}, labels) && selects(podSelector ?? {}, pod.metadata.labels ?? {});
}

function peerMatches(cluster: Cluster, peer: ClusterNetworkPolicyPeer, end: End): boolean {
  if (isSet(peer.networks))
    return peer.networks!.some((cidr) => rangeMeans(cluster, { cidr, except: [] }, end.address));
  if (isSet(peer.nodes)) {
    return cluster.nodes.some(
      (node) =>
        selects(peer.nodes!, node.metadata.labels ?? {}) &&
        addressesOfNode(cluster, node).some((address) => isSameAddress(address, end.address)),
    );
  }
  return podsMatch(cluster, peer, end.pod);
}

function protocolsMatch(rule: ClusterNetworkPolicyRule, destination: Pod | undefined, flow: Flow): boolean {
  const protocols = rule.protocols ?? [];
  return protocols.length === 0 || protocols.some((one) => protocolMatches(one, destination, flow));
}

function protocolMatches(
  entry: ClusterNetworkPolicyProtocol,
  destination: Pod | undefined,
  flow: Flow,
): boolean {
  const { port, protocol } = flow;
  if (port === undefined) return false;
  if (isSet(entry.destinationNamedPort))
    return isNamedPort(destination, entry.destinationNamedPort!, protocol, port);
  return (
    (protocol === 'TCP' && isSet(entry.tcp) && portMatches(entry.tcp!, port)) ||
    (protocol === 'UDP' && isSet(entry.udp) && portMatches(entry.udp!, port)) ||
    (protocol === 'SCTP' && isSet(entry.sctp) && portMatches(entry.sctp!, port))
  );
}

/** "If destinationPort is omitted, all ports for the specified protocol match." */
function portMatches({ destinationPort }: DestinationPort, port: number): boolean {
  if (!isSet(destinationPort)) return true;
  const { number, range } = destinationPort!;
  return isSet(number) ? number === port : range!.start <= port && port <= range!.end;
}

/** Whether each peer and each protocol of a rule has one field, and that one is known; and the action. */
function isKnown(rule: ClusterNetworkPolicyRule, direction: Direction): boolean {
  const peers = (direction === 'ingress' ? rule.from : rule.to) ?? [];
  return (
    ['Accept', 'Deny', 'Pass'].includes(rule.action) &&
    // "This field must be defined and contain at least one item."
    peers.length > 0 &&
    peers.every((peer) => hasOneOf(peer, KNOWN_PEERS[direction]) && (peer.networks ?? []).every(isCidr)) &&
    (rule.protocols ?? []).every((entry) => hasOneOf(entry, KNOWN_PROTOCOLS) && isKnownPort(entry))
  );
}

function isCidr(text: string): boolean {
  return prefixOf(text) !== undefined;
}

function isKnownPort({ tcp, udp, sctp }: ClusterNetworkPolicyProtocol): boolean {
  const given = [tcp, udp, sctp].filter((one) => isSet(one));
  return given.every((one) => {
    if (!fieldsOf(one!).every((field) => field === 'destinationPort')) return false;
    return !isSet(one!.destinationPort) || hasOneOf(one!.destinationPort!, ['number', 'range']);
  });
}

function hasOneOf(object: object, known: readonly string[]): boolean {
  const fields = fieldsOf(object);
  return fields.length === 1 && known.includes(fields[0]!);
}

function fieldsOf(object: object): string[] {
  return Object.entries(object)
    .filter(([, value]) => isSet(value))
    .map(([field]) => field);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

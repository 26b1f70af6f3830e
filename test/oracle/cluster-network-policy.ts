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
/** What a tier may say, the strictest first: what comes after `next` is never more than `accept`. */
const STRICTEST = ['deny', 'next', 'accept'] as const;

/** Whether something matches; perhaps, where that hangs on which pod has an address. */
type Match = 'yes' | 'perhaps' | 'no';

/**
 * What the ClusterNetworkPolicies of one tier say of one direction of a flow: what the first rule says that matches,
 * in the order of priorities, then names, then of the rules in a policy. A Pass, and no rule, leave it to the next tier.
 * Where it is not known which pod the other end is, a rule may match or not, so the tier may say several things; then it
 * says the strictest of them.
 *
 * @param subject The pod whose traffic is judged: the destination of ingress, the source of egress.
 * @param peer The other end.
 *
 * Source: the text of sigs.k8s.io/network-policy-api apis/v1beta1 clusternetworkpolicy_types.go.
 */
export function judgeByClusterNetworkPolicies(
  cluster: Cluster,
  tier: 'Admin' | 'Baseline',
  direction: Direction,
  subject: Pod,
  peer: End,
  flow: Flow,
): TierVerdict {
  // Whose ports the flow is about.
  const destination = direction === 'egress' ? peer : { address: '', pod: subject };
  const policies = cluster.clusterNetworkPolicies
    .filter(({ spec }) => spec.tier === tier && podsMatch(cluster, spec.subject, subject))
    .sort((a, b) => a.spec.priority - b.spec.priority || (a.metadata.name < b.metadata.name ? -1 : 1));
  const possible: TierVerdict[] = [];
  const strictest = (): TierVerdict =>
    STRICTEST.map((verdict) => possible.find((one) => one.verdict === verdict)).find((one) => one)!;
  for (const policy of policies) {
    for (const [index, rule] of (policy.spec[direction] ?? []).entries()) {
      const why = `rule ${index} (${rule.action}) of ${tier} ClusterNetworkPolicy ${policy.metadata.name}`;
      if (!isKnown(rule, direction)) {
        // Fail closed: an Accept matches no traffic, a Deny or Pass denies all.
        if (rule.action === 'Accept') continue;
        possible.push({ verdict: 'deny', why: `${why} is not understood` });
        return strictest();
      }
      const peers = (direction === 'ingress' ? rule.from : rule.to) ?? [];
      const matches = both(
        anyOf(peers.map((one) => peerMatches(cluster, one, peer))),
        protocolsMatch(rule, destination, flow),
      );
      if (matches === 'no') continue;
      const verdict = { Accept: 'accept', Pass: 'next', Deny: 'deny' }[rule.action] as TierVerdict['verdict'];
      possible.push({ verdict, why: matches === 'yes' ? why : `perhaps ${why}` });
      if (matches === 'yes') return strictest();
    }
  }
  possible.push({ verdict: 'next', why: `no rule of the ${tier} tier matches` });
  return strictest();
}

function anyOf(matches: readonly Match[]): Match {
  if (matches.includes('yes')) return 'yes';
  return matches.includes('perhaps') ? 'perhaps' : 'no';
}

function both(a: Match, b: Match): Match {
  if (a === 'no' || b === 'no') return 'no';
  return a === 'yes' && b === 'yes' ? 'yes' : 'perhaps';
}

function certain(holds: boolean): Match {
  return holds ? 'yes' : 'no';
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

function peerMatches(cluster: Cluster, peer: ClusterNetworkPolicyPeer, end: End): Match {
  if (isSet(peer.networks))
    return certain(peer.networks!.some((cidr) => rangeMeans(cluster, { cidr, except: [] }, end.address)));
  if (isSet(peer.nodes)) {
    return certain(
      cluster.nodes.some(
        (node) =>
          selects(peer.nodes!, node.metadata.labels ?? {}) &&
          addressesOfNode(cluster, node).some((address) => isSameAddress(address, end.address)),
      ),
    );
  }
  return end.mayBeAnyPod ? 'perhaps' : certain(podsMatch(cluster, peer, end.pod));
}

function protocolsMatch(rule: ClusterNetworkPolicyRule, destination: End, flow: Flow): Match {
  const protocols = rule.protocols ?? [];
  if (protocols.length === 0) return 'yes';
  return anyOf(protocols.map((one) => protocolMatches(one, destination, flow)));
}

function protocolMatches(entry: ClusterNetworkPolicyProtocol, destination: End, flow: Flow): Match {
  const { port, protocol } = flow;
  if (port === undefined) return 'no';
  if (isSet(entry.destinationNamedPort)) {
    // A pod that is not known may have a port of any name.
    if (destination.mayBeAnyPod) return 'perhaps';
    return certain(isNamedPort(destination.pod, entry.destinationNamedPort!, protocol, port));
  }
  return certain(
    (protocol === 'TCP' && isSet(entry.tcp) && portMatches(entry.tcp!, port)) ||
      (protocol === 'UDP' && isSet(entry.udp) && portMatches(entry.udp!, port)) ||
      (protocol === 'SCTP' && isSet(entry.sctp) && portMatches(entry.sctp!, port)),
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

import type {
  Cluster,
  ClusterNetworkPolicy,
  ClusterNetworkPolicyPeer,
  ClusterNetworkPolicyProtocol,
  ClusterNetworkPolicyRule,
  DestinationPort,
  NamespacedPod,
} from './api-objects.ts';
import type { Dice } from './dice.ts';
import { cidrOf, namespaceSelector, selector } from './policy-generator.ts';
import { NODE_LABELS, objectMeta, POD_LABELS, PORT_NAMES, PORTS } from './vocabulary.ts';

type Direction = 'ingress' | 'egress';

/** A ClusterNetworkPolicy of any form that the API takes, and with fields that are not known. */
export function clusterNetworkPolicy(dice: Dice, cluster: Cluster, number: number): ClusterNetworkPolicy {
  const rules = (direction: Direction): Partial<Record<Direction, ClusterNetworkPolicyRule[] | null>> => {
    if (dice.chance(25)) return dice.oneOf([{}, { [direction]: [] }, { [direction]: null }]);
    return { [direction]: dice.list(1, 5, () => rule(dice, cluster, direction)) };
  };
  return {
    metadata: objectMeta(`cnp${number}`),
    spec: {
      tier: dice.oneOf(['Admin', 'Baseline']),
      priority: dice.oneOf([0, 1, 10, 10, 1000]),
      subject: dice.oneOf([
        ...(dice.chance(2) ? [{}, { future: {} } as object] : []),
        { namespaces: {} },
        { namespaces: namespaceSelector(dice, cluster) },
        { pods: namespacedPod(dice, cluster) },
      ]),
      ...rules('ingress'),
      ...rules('egress'),
    },
  };
}

function rule(dice: Dice, cluster: Cluster, direction: Direction): ClusterNetworkPolicyRule {
  const peers = dice.list(dice.chance(1) ? 0 : 1, 3, () => peer(dice, cluster, direction));
  const protocols = dice.chance(50)
    ? dice.oneOf([undefined, null])
    : dice.list(1, 3, () => protocol(dice, peers));
  return {
    ...(dice.chance(20) ? { name: 'a rule' } : {}),
    action: dice.oneOf(['Accept', 'Deny', 'Pass', ...(dice.chance(2) ? ['Log'] : [])]),
    [direction === 'ingress' ? 'from' : 'to']: peers,
    ...(protocols === undefined ? {} : { protocols }),
  };
}

function peer(dice: Dice, cluster: Cluster, direction: Direction): ClusterNetworkPolicyPeer {
  if (direction === 'egress' && dice.chance(1)) return { networks: ['10.32.0.0/16', 'nothing'] };
  if (dice.chance(1)) return { namespaces: {}, pods: { podSelector: {} } };
  if (dice.chance(3))
    return dice.oneOf([
      {},
      { namespaces: null },
      { future: {} } as ClusterNetworkPolicyPeer,
      { domainNames: ['a.b'] },
    ]);
  const kind = dice.between(1, direction === 'ingress' ? 2 : 4);
  if (kind === 1) return { namespaces: dice.chance(20) ? {} : namespaceSelector(dice, cluster) };
  if (kind === 2) return { pods: namespacedPod(dice, cluster) };
  if (kind === 3) return { nodes: selector(dice, NODE_LABELS) };
  return { networks: dice.list(1, 3, () => cidrOf(dice, cluster)) };
}

function namespacedPod(dice: Dice, cluster: Cluster): NamespacedPod {
  return {
    ...(dice.chance(80) ? { namespaceSelector: namespaceSelector(dice, cluster) } : {}),
    podSelector: selector(dice, POD_LABELS),
  };
}

function protocol(dice: Dice, peers: readonly ClusterNetworkPolicyPeer[]): ClusterNetworkPolicyProtocol {
  if (dice.chance(2))
    return dice.oneOf([
      {},
      { gre: {} },
      { tcp: { flags: [] } },
      { udp: { destinationPort: {} } },
    ] as object[]);
  // The API takes no named port beside peers that have none.
  if (dice.chance(25) && peers.every(({ nodes, networks }) => nodes === undefined && networks === undefined))
    return { destinationNamedPort: dice.oneOf([...PORT_NAMES, 'none']) };
  return { [dice.oneOf(['tcp', 'tcp', 'udp', 'sctp'])]: destinationPort(dice) };
}

function destinationPort(dice: Dice): DestinationPort {
  const kind = dice.between(1, 10);
  if (kind === 1) return dice.oneOf([{}, { destinationPort: null }]);
  const start = dice.oneOf(PORTS);
  if (kind <= 6 || start === 65535) return { destinationPort: { number: start } };
  return {
    destinationPort: { range: { start, end: Math.min(65535, start + dice.oneOf([1, 2, 400, 65535])) } },
  };
}

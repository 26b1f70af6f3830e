import type { Cluster, Container, Family, Labels, Namespace, Node, Pod } from './api-objects.ts';
import { clusterNetworkPolicy } from './cluster-policy-generator.ts';
import type { Dice } from './dice.ts';
import { networkPolicy } from './policy-generator.ts';
import { NAMESPACE_LABELS, NODE_LABELS, objectMeta, POD_LABELS, PORT_NAMES, PORTS } from './vocabulary.ts';

/** Addresses that pods and nodes draw in the overlay: near each other, so that ranges cut through them. */
const POOL: Readonly<Record<Family, readonly string[]>> = {
  4: [
    ...numbers(1, 14).map((i) => `10.32.0.${i}`),
    ...numbers(126, 131).map((i) => `10.32.1.${i}`),
    '10.33.0.1',
  ],
  6: [
    ...numbers(1, 14).map((i) => `fd77::${i.toString(16)}`),
    ...numbers(1, 6).map((i) => `fd77::1:${i}`),
    'fd78::1',
  ],
};

/**
 * A small cluster with policies: one to four namespaces, one to three nodes, two to ten pods, of one family or both.
 * Among the pods are those of the host's network, ended and terminating ones, and some that have no address (yet).
 */
export function generateCluster(dice: Dice): Cluster {
  const families = dice.oneOf<readonly Family[]>([[4], [6], [4, 6], [4, 6], [4, 6]]);
  const free = { 4: dice.shuffled(POOL[4]), 6: dice.shuffled(POOL[6]) };
  const namespaces = dice.list(1, 4, (i): Namespace => {
    const name = `ns${i}`;
    return {
      metadata: {
        ...objectMeta(name),
        labels: { ...labels(dice, NAMESPACE_LABELS), 'kubernetes.io/metadata.name': name },
      },
    };
  });
  const nodes = dice.list(1, 3, (i) => node(dice, i + 1, families));
  const overlayAddressesByNode: Record<string, string[]> = {};
  for (const name of [...nodes.map(({ metadata }) => metadata.name), 'n9']) {
    if (dice.chance(15)) continue;
    overlayAddressesByNode[name] = families.flatMap((family) =>
      free[family].splice(0, dice.oneOf([0, 1, 1, 1, 2])),
    );
  }
  const pods: Pod[] = [];
  for (let i = dice.between(2, 10); i > 0; i--) {
    const namespace = dice.oneOf(namespaces).metadata.name;
    pods.push(pod(dice, { number: pods.length, namespace, nodes, families, free, others: pods }));
  }
  const bare: Cluster = {
    namespaces,
    nodes,
    pods,
    networkPolicies: [],
    clusterNetworkPolicies: [],
    overlayAddressesByNode,
    podRanges: podRanges(dice),
  };
  return {
    ...bare,
    networkPolicies: dice.list(dice.oneOf([0, 1, 2]), 5, (i) => networkPolicy(dice, bare, i)),
    clusterNetworkPolicies: dice.list(0, dice.oneOf([0, 3, 6]), (i) => clusterNetworkPolicy(dice, bare, i)),
  };
}

/** The ranges of pods, most often those that hold most of the addresses that are drawn; or the node does not know them. */
export function podRanges(dice: Dice): string[] {
  return dice.oneOf([
    ['10.32.0.0/15', 'fd77::/64'],
    ['10.32.0.0/15', 'fd77::/64'],
    ['10.32.0.0/15', 'fd77::/64'],
    ['10.32.0.0/24'],
    ['fd77::/112'],
    [],
  ]);
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Some of the labels, each with one of its values. */
function labels(dice: Dice, valuesByKey: Readonly<Record<string, readonly string[]>>): Labels {
  return Object.fromEntries(
    Object.entries(valuesByKey)
      .filter(() => dice.chance(65))
      .map(([key, values]) => [key, dice.oneOf(values)]),
  );
}

function node(dice: Dice, number: number, families: readonly Family[]): Node {
  const addresses = [{ type: 'Hostname', address: `n${number}` }];
  for (const family of families) {
    if (families.length > 1 && dice.chance(25)) continue;
    addresses.push({ type: 'InternalIP', address: family === 4 ? `192.168.0.${number}` : `fd00::${number}` });
    if (dice.chance(15))
      addresses.push({
        type: 'InternalIP',
        address: family === 4 ? `172.16.0.${number}` : `fd01::${number}`,
      });
    if (dice.chance(20))
      addresses.push({
        type: 'ExternalIP',
        address: family === 4 ? `203.0.113.${number}` : `2001:db8::${number}`,
      });
  }
  return {
    metadata: { ...objectMeta(`n${number}`), labels: labels(dice, NODE_LABELS) },
    status: { addresses },
  };
}

interface PodPlace {
  readonly number: number;
  readonly namespace: string;
  readonly nodes: readonly Node[];
  readonly families: readonly Family[];
  /** Addresses of the overlay that nobody has had yet. */
  readonly free: Readonly<Record<Family, string[]>>;
  readonly others: readonly Pod[];
}

function pod(dice: Dice, { number, namespace, nodes, families, free, others }: PodPlace): Pod {
  const name = `p${number}`;
  const onNode = dice.oneOf(nodes);
  const nodeName = dice.chance(6) ? dice.oneOf([undefined, 'n9']) : onNode.metadata.name;
  const hostNetwork = nodeName === onNode.metadata.name && dice.chance(12);
  const phase = dice.oneOf([
    'Running',
    'Running',
    'Running',
    'Running',
    'Running',
    'Pending',
    'Succeeded',
    'Failed',
  ]);
  let addresses: string[];
  if (hostNetwork) {
    addresses = (onNode.status?.addresses ?? [])
      .filter(({ type }) => type === 'InternalIP')
      .map(({ address }) => address);
  } else if ((phase === 'Succeeded' || phase === 'Failed') && dice.chance(60)) {
    // Its address has been dealt out again.
    addresses = (dice.oneOf(others)?.status?.podIPs ?? []).map(({ ip }) => ip);
  } else {
    addresses = families.flatMap((family) =>
      families.length > 1 && dice.chance(15) ? [] : free[family].splice(0, 1),
    );
  }
  if (dice.chance(6)) addresses = [];
  const [first] = addresses;
  return {
    metadata: {
      ...objectMeta(name),
      namespace,
      ...(dice.chance(8) ? {} : { labels: labels(dice, POD_LABELS) }),
      ...(dice.chance(12) ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(hostNetwork ? { hostNetwork } : dice.chance(10) ? { hostNetwork: false } : {}),
      containers: dice.list(1, 2, (i) => container(dice, `c${i}`)),
      ...(dice.chance(10)
        ? { initContainers: [{ ...container(dice, 'sidecar'), restartPolicy: 'Always' }] }
        : {}),
    },
    ...(first === undefined && dice.chance(30)
      ? {}
      : {
          status: {
            phase,
            ...(first === undefined ? {} : { podIP: first }),
            ...(first === undefined || (addresses.length === 1 && dice.chance(10))
              ? {}
              : { podIPs: addresses.map((ip) => ({ ip })) }),
          },
        }),
  };
}

function container(dice: Dice, name: string): Container {
  if (dice.chance(25)) return { name };
  return {
    name,
    ports: dice.list(0, 3, () => ({
      ...(dice.chance(85) ? { name: dice.oneOf(PORT_NAMES) } : {}),
      containerPort: dice.oneOf(PORTS),
      ...(dice.chance(70) ? { protocol: dice.oneOf(['TCP', 'TCP', 'UDP', 'SCTP']) } : {}),
    })),
  };
}

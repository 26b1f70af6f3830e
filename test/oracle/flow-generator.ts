import type { Cluster, Family, Flow, FlowEnd, Protocol } from './api-objects.ts';
import { bitsOf, familyOf, prefixOf } from './cidr.ts';
import type { Dice } from './dice.ts';
import { addressesOf, isOnHostNetwork, nameOf } from './ends.ts';
import { addressesIn } from './vocabulary.ts';

/**
 * Some flows of a cluster, of those that tell most: between pods, between a pod and an address that somebody has or
 * had, or that lies at an edge of a range that a policy names, at ports that a policy or a container names and those
 * beside them. One end at least is a pod.
 */
export function generateFlows(dice: Dice, cluster: Cluster, count: number): Flow[] {
  const ports = portsIn(cluster);
  const families = ([4, 6] as const)
    .map((family) => ({ family, pods: podsOf(cluster, family), others: othersOf(cluster, family) }))
    .filter(({ pods }) => pods.length > 0);
  if (families.length === 0) return [];
  return Array.from({ length: count }, () => {
    const { family, pods, others } = dice.oneOf(families);
    const one = dice.oneOf(pods);
    const otherPods = pods.filter((pod) => pod !== one);
    const isSame = otherPods.length === 0 || dice.chance(5);
    const other = isSame ? one : dice.oneOf(dice.chance(55) ? otherPods : others);
    const [source, destination] = dice.chance(50) ? [one, other] : [other, one];
    const protocol = dice.oneOf<Protocol>(['TCP', 'TCP', 'TCP', 'UDP', 'UDP', 'SCTP', 'ICMP']);
    const isToItself = 'pod' in source && 'pod' in destination && source.pod === destination.pod;
    return {
      family,
      source,
      destination,
      protocol,
      ...(protocol === 'ICMP' ? {} : { port: dice.oneOf(ports) }),
      ...(isToItself && dice.chance(70) ? { viaService: true } : {}),
    };
  });
}

/** The pods that have an address of a family; one of the host's network is its node. */
export function podsOf(cluster: Cluster, family: Family): FlowEnd[] {
  return cluster.pods
    .filter((pod) => !isOnHostNetwork(pod))
    .filter((pod) => addressesOf(pod).some((address) => familyOf(address) === family))
    .map((pod) => ({ pod: nameOf(pod) }));
}

/** Addresses: those that somebody has or had, those at the edges of ranges and right outside, and nobody's. */
export function othersOf(cluster: Cluster, family: Family): FlowEnd[] {
  const nobody = family === 4 ? ['8.8.8.8', '10.32.0.250'] : ['2001:4860::8', 'fd77::ff'];
  const edges = rangesIn(cluster).flatMap((cidr) => edgesOf(cidr));
  const all = [...addressesIn(cluster, family), ...edges, ...nobody].filter(
    (one) => familyOf(one) === family,
  );
  // One text for each address, as somebody who has it writes it.
  const textByBits = new Map(all.toReversed().map((address) => [bitsOf(address), address]));
  return [...textByBits.values()].map((address) => ({ address }));
}

/** The ports that policies and containers name, those beside them, the first and the last. */
export function portsIn(cluster: Cluster): number[] {
  const named: (number | string | null | undefined)[] = [];
  for (const { spec } of cluster.pods)
    for (const { ports } of [...spec.containers, ...(spec.initContainers ?? [])])
      for (const { containerPort } of ports ?? []) named.push(containerPort);
  for (const { spec } of cluster.networkPolicies)
    for (const rule of [...(spec?.ingress ?? []), ...(spec?.egress ?? [])])
      for (const { port, endPort } of rule.ports ?? []) named.push(port, endPort);
  for (const { spec } of cluster.clusterNetworkPolicies)
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
      for (const { tcp, udp, sctp } of rule.protocols ?? [])
        for (const one of [tcp, udp, sctp])
          named.push(
            one?.destinationPort?.number,
            one?.destinationPort?.range?.start,
            one?.destinationPort?.range?.end,
          );
  const numbers = named
    .filter((port) => typeof port === 'number')
    .flatMap((port) => [port - 1, port, port, port + 1]);
  return [...numbers, 1, 65535].filter((port) => port >= 1 && port <= 65535);
}

/** Every CIDR in a policy. */
function rangesIn(cluster: Cluster): string[] {
  const ranges: string[] = [];
  for (const { spec } of cluster.networkPolicies)
    for (const rule of [...(spec?.ingress ?? []), ...(spec?.egress ?? [])])
      for (const { ipBlock } of [...(rule.from ?? []), ...(rule.to ?? [])])
        if (ipBlock) ranges.push(ipBlock.cidr, ...(ipBlock.except ?? []));
  for (const { spec } of cluster.clusterNetworkPolicies)
    for (const rule of spec.egress ?? [])
      for (const { networks } of rule.to ?? []) ranges.push(...(networks ?? []));
  return ranges;
}

/** The first and the last address of a range, and those before and after it; none where it is no range. */
function edgesOf(cidr: string): string[] {
  const prefix = prefixOf(cidr);
  if (prefix === undefined) return [];
  const first = BigInt(`0b${prefix.bits.padEnd(prefix.width, '0')}`);
  const last = BigInt(`0b${prefix.bits.padEnd(prefix.width, '1')}`);
  return [first - 1n, first, last, last + 1n]
    .filter((value) => value > 0n && value < (1n << BigInt(prefix.width)) - 1n)
    .map((value) => textOf(value, prefix.width));
}

function textOf(value: bigint, width: number): string {
  const bits = value.toString(2).padStart(width, '0');
  const step = width === 32 ? 8 : 16;
  const parts = bits.match(new RegExp(`.{${step}}`, 'g'))!.map((part) => Number.parseInt(part, 2));
  const text = width === 32 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':');
  if (bitsOf(text) !== bits) throw new Error(`${text} is not what it was made of`);
  return text;
}

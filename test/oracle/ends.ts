import type { Cluster, ContainerPort, Family, FlowEnd, Node, Pod, Protocol } from './api-objects.ts';
import { cidrHolds, familyOf, isSameAddress } from './cidr.ts';

/** One end of a flow as the policies see it: an address, and the pod that has it, if a pod has it. */
export interface End {
  readonly address: string;
  readonly pod?: Pod;
  /** It is an address out of which pods are given theirs, and nobody is told to have it: it may be that of any pod. */
  readonly mayBeAnyPod?: boolean;
}

/**
 * Who an end of a flow is. A pod of the host's network is its node and no pod to a policy; a pod that has ended has no
 * address any more.
 *
 * @throws Where the flow names a pod that is not there, or that has no address of the family: there is no such flow.
 */
export function endOf(cluster: Cluster, end: FlowEnd, family: Family): End {
  if ('address' in end) {
    const pod = cluster.pods.find(
      (one) =>
        !isOnHostNetwork(one) && addressesOf(one).some((address) => isSameAddress(address, end.address)),
    );
    if (pod !== undefined) return { address: end.address, pod };
    return { address: end.address, mayBeAnyPod: isNobodys(cluster, end.address) };
  }
  const pod = cluster.pods.find((one) => nameOf(one) === end.pod);
  const address = pod && addressesOf(pod).find((one) => familyOf(one) === family);
  if (pod === undefined || address === undefined) throw new Error(`${end.pod} has no IPv${family} address`);
  return isOnHostNetwork(pod) ? { address } : { address, pod };
}

/** Whether pods are given such addresses, and it is neither a node's nor, as far as the API tells, a pod's. */
function isNobodys(cluster: Cluster, address: string): boolean {
  if (!(cluster.podRanges ?? []).some((cidr) => cidrHolds(cidr, address))) return false;
  const taken = [
    ...cluster.pods.filter((pod) => !isOnHostNetwork(pod)).flatMap(addressesOf),
    ...cluster.nodes.flatMap((node) => addressesOfNode(cluster, node)),
    ...Object.values(cluster.overlayAddressesByNode).flat(),
  ];
  return !taken.some((one) => isSameAddress(one, address));
}

/** `namespace/name` */
export function nameOf(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

/** A pod's addresses; none once it has ended, all while it terminates. */
export function addressesOf(pod: Pod): string[] {
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return [];
  const addresses = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
  const first = pod.status?.podIP;
  if (typeof first === 'string' && !addresses.includes(first)) addresses.unshift(first);
  return addresses.filter((address) => familyOf(address) !== undefined);
}

export function isOnHostNetwork(pod: Pod): boolean {
  return pod.spec.hostNetwork === true;
}

/** Every address a node has: those of its status, and those in the overlay. */
export function addressesOfNode(cluster: Cluster, node: Node): string[] {
  const own = (node.status?.addresses ?? []).map(({ address }) => address);
  return [...own.filter((address) => familyOf(address) !== undefined), ...overlayAddresses(cluster, node)];
}

/** Whether an address is one of the node on which a pod runs, whether or not the API knows that node. */
export function isOwnNode(cluster: Cluster, pod: Pod, address: string): boolean {
  const name = pod.spec.nodeName ?? '';
  const node = cluster.nodes.find(({ metadata }) => metadata.name === name) ?? { metadata: { name } };
  return addressesOfNode(cluster, node).some((one) => isSameAddress(one, address));
}

/**
 * Whether a range of addresses means an address: it holds it, or it holds the InternalIP of a node that has the
 * address in the overlay. A node is several addresses, and its owner knows only the InternalIP.
 */
export function rangeMeans(
  cluster: Cluster,
  range: { readonly cidr: string; readonly except: readonly string[] },
  address: string,
): boolean {
  const holds = (one: string): boolean =>
    cidrHolds(range.cidr, one) && !range.except.some((hole) => cidrHolds(hole, one));
  if (holds(address)) return true;
  return cluster.nodes.some(
    (node) =>
      overlayAddresses(cluster, node).some((one) => isSameAddress(one, address)) &&
      (node.status?.addresses ?? []).some((one) => one.type === 'InternalIP' && holds(one.address)),
  );
}

/**
 * Whether a port of this name is that port of the pod. The destination's pod is asked, so one name may be another
 * number in each pod; who is no pod has no named ports.
 */
export function isNamedPort(pod: Pod | undefined, name: string, protocol: Protocol, port: number): boolean {
  if (pod === undefined) return false;
  return portsOf(pod).some(
    (one) => one.name === name && (one.protocol ?? 'TCP') === protocol && one.containerPort === port,
  );
}

/** The ports of the containers that run as long as the pod does. */
function portsOf(pod: Pod): ContainerPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...pod.spec.containers, ...sidecars].flatMap(({ ports }) => ports ?? []);
}

function overlayAddresses(cluster: Cluster, node: Node): readonly string[] {
  return cluster.overlayAddressesByNode[node.metadata.name] ?? [];
}

/** The labels of the namespace in which a pod is; undefined where that namespace is not there. */
export function namespaceLabels(cluster: Cluster, pod: Pod): Readonly<Record<string, string>> | undefined {
  const namespace = cluster.namespaces.find(({ metadata }) => metadata.name === pod.metadata.namespace);
  return namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
}

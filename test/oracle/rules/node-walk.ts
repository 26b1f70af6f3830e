import type { Cluster, Flow, Pod } from '../api-objects.ts';
import { addressesOf, type End, endOf, isOnHostNetwork, isOwnNode, nameOf } from '../ends.ts';
import type { NftTable } from './nft-text.ts';
import { type Entry, type Packet, passes } from './rule-walk.ts';

/** The rules of one node, and the links of the pods on it. */
export interface RuledNode {
  readonly name: string;
  readonly table: NftTable;
  /** By `namespace/name`. */
  readonly linkByPod: ReadonlyMap<string, string>;
}

/** The pods that hang on a node's links, as far as their addresses are known. */
export function attachedPods(cluster: Cluster, node: string): Pod[] {
  return cluster.pods.filter(
    (pod) => pod.spec.nodeName === node && !isOnHostNetwork(pod) && addressesOf(pod).length > 0,
  );
}

/** A packet of a flow at a node where it is judged, and whether it passes there. */
export interface Passage {
  readonly what: string;
  readonly passes: boolean;
}

/** From which port the flow's source sends. */
const SOURCE_PORT = 40_001;
const FAR_LINK = 'weft';

/**
 * Sends the packets of a flow through the rules of every node that one of its pods is on: the first one, an answer, and
 * an ICMP error to either side. All of them must have the same fate, but those that a node sends to its own pod, which
 * nothing judges; they are left out.
 *
 * @param isUnsure The entry of connection tracking began in the middle of a connection of TCP.
 */
export function walkFlow(
  cluster: Cluster,
  nodes: readonly RuledNode[],
  flow: Flow,
  { isUnsure = false, sourcePort = SOURCE_PORT } = {},
): Passage[] {
  const source = endOf(cluster, flow.source, flow.family);
  const destination = endOf(cluster, flow.destination, flow.family);
  if (source.pod !== undefined && source.pod === destination.pod && flow.viaService !== true) return [];
  return nodes.flatMap((node) => {
    const near = linkOf(node, source);
    const far = linkOf(node, destination);
    if (near === undefined && far === undefined) return [];
    const fromNode = far !== undefined && isOwnNode(cluster, destination.pod!, source.address);
    const toNode = near !== undefined && isOwnNode(cluster, source.pod!, destination.address);
    const paths = {
      original: pathOf(near, far, { from: fromNode, to: toNode }),
      reply: pathOf(far, near, { from: toNode, to: fromNode }),
    };
    return packetsOf(flow, { source, destination, sourcePort, isUnsure }).flatMap(({ what, packet }) => {
      const path = paths[packet.direction];
      if (path.hook === 'output') return [];
      return [{ what: `${what} at ${node.name}`, passes: passes(node.table, { ...packet, ...path }) }];
    });
  });
}

function linkOf(node: RuledNode, { pod }: End): string | undefined {
  return pod && node.linkByPod.get(nameOf(pod));
}

/** By which hook a packet goes through the node, and from link to link. */
function pathOf(
  iif: string | undefined,
  oif: string | undefined,
  node: { readonly from: boolean; readonly to: boolean },
): Pick<Packet, 'hook' | 'iif' | 'oif'> {
  if (node.from) return { hook: 'output', oif: oif! };
  if (node.to) return { hook: 'input', iif: iif! };
  return { hook: 'forward', iif: iif ?? FAR_LINK, oif: oif ?? FAR_LINK };
}

interface Sides {
  readonly source: End;
  readonly destination: End;
  readonly sourcePort: number;
  readonly isUnsure: boolean;
}

function packetsOf(flow: Flow, { source, destination, sourcePort, isUnsure }: Sides) {
  const icmp = flow.family === 4 ? 'icmp' : 'icmpv6';
  const protocol = flow.protocol === 'ICMP' ? icmp : (flow.protocol.toLowerCase() as Entry['protocol']);
  const ports = flow.port === undefined ? undefined : [{ port: sourcePort }, { port: flow.port }];
  const entry = (): Entry => ({
    protocol,
    original: { source: source.address, ...ports?.[0] },
    reply: { source: destination.address, ...ports?.[1] },
    labels: new Set(isUnsure ? ['120'] : []),
  });
  const packet = (
    direction: Packet['direction'],
    state: Packet['state'],
    l4proto: Packet['l4proto'] = protocol,
  ): Omit<Packet, 'hook' | 'iif' | 'oif'> => ({
    direction,
    state,
    l4proto,
    isSyn: state === 'new' && !isUnsure,
    entry: entry(),
  });
  return [
    { what: 'the first packet', packet: packet('original', 'new') },
    { what: 'a later packet', packet: packet('original', 'established') },
    { what: 'an answer', packet: packet('reply', 'established') },
    { what: 'an ICMP error to the source', packet: packet('reply', 'related', icmp) },
    { what: 'an ICMP error to the destination', packet: packet('original', 'related', icmp) },
  ];
}

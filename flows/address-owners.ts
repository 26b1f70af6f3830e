import type { Family } from '../base/address.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { FlowDirection } from './flow.ts';

/** Which node owns which address of the cluster's range. */
export interface AddressOwners {
  /** This node. */
  readonly self: PeerId;
  readonly owners: readonly PeerId[];
  /** Index into {@link owners} for the address whose bytes begin at `at`; −1: outside of the cluster's range. */
  ownerIndex(family: Family, bytes: Uint8Array, at: number): number;
}

/** Who is at the ends of a connection: node, or nobody of the cluster. */
interface EndOwners {
  readonly source: PeerId | undefined;
  readonly target: PeerId | undefined;
  /** As the server sees it: differs from the source where that was translated. */
  readonly seenSource: PeerId | undefined;
}

/**
 * How this node tells of a connection; undefined: another node does, or nobody. Each connection is told by one node: by
 * that of the source; where the source is outside of the cluster by that of the target; and where a node translates a
 * source from outside to its own address, and sends it on to another node (a NodePort), by that node, for the other one
 * takes it for a connection of the first.
 */
export function toldAs(ends: EndOwners, self: PeerId): FlowDirection | undefined {
  const { source, target, seenSource } = ends;
  if (source === self) return target === self ? 'local' : 'out';
  if (source !== undefined) return undefined;
  if (target === self) return 'in';
  return target !== undefined && seenSource === self ? 'through' : undefined;
}

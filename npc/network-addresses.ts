import { formatAddress, parseAddress } from '../base/address.ts';
import { parseCidr, type Range } from '../base/range.ts';
import type { PolicyWaitResult } from '../control/policy-request.ts';

/** Which addresses are used for what in the network of pods. */
export interface NetworkAddresses {
  /** The overlay addresses of each node by its name, in canonical text. */
  readonly overlayByNode: ReadonlyMap<string, readonly string[]>;
  /** Out of which pods get their addresses; none where weftd is of a version that does not say. */
  readonly podRanges: readonly Range[];
}

/** One of each family, and room for more. */
const MAX_POD_RANGES = 16;

/** Reads what weftd says of them. What is no address or no CIDR is passed over. */
export function networkAddresses({
  peers = [],
  podRanges = [],
}: Pick<PolicyWaitResult, 'peers' | 'podRanges'>): NetworkAddresses {
  const overlayByNode = new Map<string, readonly string[]>();
  for (const { name, addresses } of peers) {
    const read = addresses.map(parseAddress).filter((address) => address !== undefined);
    overlayByNode.set(name, read.map(formatAddress));
  }
  const ranges = podRanges.slice(0, MAX_POD_RANGES).map(parseCidr);
  return { overlayByNode, podRanges: ranges.filter((range) => range !== undefined) };
}

import { formatAddress } from '../../base/address.ts';
import { warningLine } from '../../base/warning.ts';
import type { StatusResult } from '../../control/control-protocol.ts';
import { ipamSummary } from './ipam-view.ts';
import { peerRows } from './peers-view.ts';
import { type NamedMember, sharedNames } from './shared-names.ts';
import type { StatusContext } from './status-context.ts';
import { warningsOf } from './status-warnings.ts';

/** Answer to `weft status`. */
export function statusResult(context: StatusContext): StatusResult {
  const { node, name, version } = context;
  const warnings = [...warningsOf(node, context.warnings()), ...sharedNames(namedMembers(context))];
  return {
    name,
    peerId: node.peer,
    version,
    addresses: node.ownAddresses.map(formatAddress),
    peers: peerRows(context),
    ipam: ipamSummary(node),
    ...(warnings.length === 0 ? {} : { warnings: warnings.map(warningLine), problems: warnings }),
  };
}

/** This node and all that gossip knows, by the names that they gave themselves. */
function namedMembers({ node, name }: StatusContext): NamedMember[] {
  const others = node.gossip.members().filter(({ peer }) => peer !== node.peer);
  return [
    { peer: node.peer, name, state: 'alive' },
    ...others.map(({ peer, state, info }) => ({ peer, state, name: info.name })),
  ];
}

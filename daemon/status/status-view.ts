import { formatAddress } from '../../base/address.ts';
import { warningLine } from '../../base/warning.ts';
import type { StatusResult } from '../../control/control-protocol.ts';
import { datapathStatus } from './datapath-status.ts';
import { datapathWarnings } from './datapath-warnings.ts';
import { ipamSummary } from './ipam-view.ts';
import { peerRows } from './peers-view.ts';
import { ringDetail } from './ring-detail.ts';
import { seedRows, seedWarnings } from './seeds-view.ts';
import { type NamedMember, sharedNames } from './shared-names.ts';
import type { StatusContext } from './status-context.ts';
import { statusWarnings } from './status-warnings.ts';

/** Answer to `weft status`. */
export function statusView(context: StatusContext, { all = false } = {}): StatusResult {
  const { node, name, version, datapath } = context;
  const seeds = seedRows(context);
  const { rows, hidden } = peerRows(context, { all });
  const warnings = [
    ...statusWarnings(node, context.warnings()),
    ...datapathWarnings(datapath.features),
    ...seedWarnings(seeds),
    ...sharedNames(namedMembers(context)),
  ];
  return {
    name,
    peerId: node.peer,
    version,
    addresses: node.ownAddresses.map(formatAddress),
    peers: rows,
    ...(hidden > 0 ? { hidden } : {}),
    ipam: { ...ipamSummary(node), detail: ringDetail(context, seeds) },
    datapath: datapathStatus(datapath),
    ...(context.policy === undefined ? {} : { policy: context.policy() }),
    ...(seeds.length === 0 ? {} : { seeds }),
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

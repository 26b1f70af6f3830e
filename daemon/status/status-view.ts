import { formatAddress } from '../../base/address.ts';
import { shortPeerId } from '../../base/peer-id.ts';
import type { StatusResult } from '../../control/control-protocol.ts';
import { ipamSummary } from './ipam-view.ts';
import { peerRows } from './peers-view.ts';
import type { StatusContext } from './status-context.ts';

/** Answer to `weft status`. */
export function statusResult(context: StatusContext): StatusResult {
  const { node, name, version } = context;
  const warnings = warningsOf(context);
  return {
    name,
    peerId: node.peer,
    version,
    addresses: node.ownAddresses.map(formatAddress),
    peers: peerRows(context),
    ipam: ipamSummary(node),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/** Faults first, then what is merely unusual. */
function warningsOf({ node, warnings: around }: StatusContext): string[] {
  const { faults, orphaned, pending } = node.ipam.status();
  const warnings = faults.map(({ message, remedy }) => `${message}; ${remedy}`);
  if (node.diskFault !== undefined) warnings.unshift(node.diskFault.line);
  warnings.push(...around());
  for (const { key, addresses } of orphaned) {
    const which = addresses.map(formatAddress).join(', ');
    warnings.push(`${key.containerId} uses ${which}, which this node does not own; restart that pod`);
  }
  for (const peer of pending.removals) warnings.push(`the removal of ${shortPeerId(peer)} is under way`);
  return warnings;
}

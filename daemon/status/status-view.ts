import { formatAddress } from '../../base/address.ts';
import { warningLine } from '../../base/warning.ts';
import type { StatusResult } from '../../control/control-protocol.ts';
import { ipamSummary } from './ipam-view.ts';
import { peerRows } from './peers-view.ts';
import type { StatusContext } from './status-context.ts';
import { warningsOf } from './status-warnings.ts';

/** Answer to `weft status`. */
export function statusResult(context: StatusContext): StatusResult {
  const { node, name, version } = context;
  const warnings = warningsOf(node, context.warnings());
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

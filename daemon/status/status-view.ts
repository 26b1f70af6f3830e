import { formatAddress } from '../../base/address.ts';
import { warningLine } from '../../base/warning.ts';
import type { StatusResult } from '../../control/control-protocol.ts';
import { datapathStatus } from './datapath-status.ts';
import { ipamSummary } from './ipam-view.ts';
import { peerRows } from './peers-view.ts';
import { problemsView } from './problems-view.ts';
import { ringDetail } from './ring-detail.ts';
import { seedRows } from './seeds-view.ts';
import type { StatusContext } from './status-context.ts';

/** Answer to `weft status`. */
export function statusView(context: StatusContext, { all = false } = {}): StatusResult {
  const { node, name, version, datapath } = context;
  const seeds = seedRows(context);
  const { rows, hidden } = peerRows(context, { all });
  const warnings = problemsView(context, seeds);
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

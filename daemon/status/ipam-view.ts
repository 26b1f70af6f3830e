import { type Address, formatAddress } from '../../base/address.ts';
import { formatRange } from '../../base/range.ts';
import type { IpamResult, IpamSummary } from '../../control/control-protocol.ts';
import { clock } from '../../host/clock.io.ts';
import { NODE_KEY } from '../../ipam/model/types.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { removalRows } from './removal-view.ts';
import { nameOf, type StatusContext } from './status-context.ts';

/** Answer to `weft ipam`. */
export function ipamView(context: StatusContext): IpamResult {
  const { node } = context;
  return {
    ...ipamSummary(node),
    owners: node.ipam.owners().map(({ range, owner }) => ({
      range: formatRange(range),
      name: nameOf(context, owner),
      peerId: owner,
    })),
    removals: removalRows(context, clock()),
    allocations: node.ipam.allocations().map(({ key, addresses }) => ({
      containerId: key.containerId === NODE_KEY.containerId ? '(this node)' : key.containerId,
      ifname: key.ifname,
      addresses: addresses.map((address: Address) => formatAddress(address)),
    })),
  };
}

/** This node's share of the cluster's ranges. */
export function ipamSummary(node: WeftNode): IpamSummary {
  const { state, detail, ranges, owned, used } = node.ipam.status();
  const families: { -readonly [K in keyof IpamSummary['families']]: IpamSummary['families'][K] } = {};
  for (const family of [4, 6] as const) {
    if (owned[family] === 0n && used[family] === 0) continue;
    families[`${family}`] = { owned: String(owned[family]), used: used[family] };
  }
  const main = owned[4] > 0n ? 4 : 6;
  return {
    state,
    detail,
    ranges: ranges.map(formatRange),
    owned: Number(owned[main]),
    used: used[main],
    families,
  };
}

import { formatAddress, parseAddress } from '../../base/address.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { printable } from '../../base/printable.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { LocateResult } from '../../control/control-protocol.ts';
import { findPeer } from './find-peer.ts';
import { pathSize, peerStatus } from './peers-view.ts';
import type { StatusContext } from './status-context.ts';

/**
 * Answer to `weft ping`: where an address of the overlay lives. A node stands for its own overlay address, IPv4 where it has one.
 *
 * Throws E_UNKNOWN_PEER, E_AMBIGUOUS_PEER, E_NOT_OVERLAY for an address that no node owns, E_NO_ADDRESS for a node
 * without an overlay address.
 */
export function locateView(context: StatusContext, target: string): LocateResult {
  const { node, overlayMtu } = context;
  const address = parseAddress(target);
  const peer = address === undefined ? findNode(context, target) : node.ipam.ownerOf(address);
  if (peer === undefined) {
    const remedy = "give an address of a pod or a node, see 'weft ipam' for who owns which range";
    throw new WeftError('E_NOT_OVERLAY', `no node owns ${printable(target)}`, remedy);
  }
  const own = peer === node.peer;
  const addresses = own ? node.ownAddresses : (node.infoOf(peer)?.addresses ?? []);
  const found = address ?? addresses[0];
  if (found === undefined) {
    const remedy = "see 'weft status' on that node";
    throw new WeftError('E_NO_ADDRESS', `${printable(target)} has no overlay address yet`, remedy);
  }
  const tunnel = own ? undefined : node.tunnels.status(peer);
  return {
    address: formatAddress(found),
    peer: own ? null : peerStatus(context, peer),
    ...pathSize(tunnel, overlayMtu),
    ...(own ? { mtuConfirmed: true } : {}),
  };
}

function findNode(context: StatusContext, target: string): PeerId {
  return target === context.name ? context.node.peer : findPeer(context, target);
}

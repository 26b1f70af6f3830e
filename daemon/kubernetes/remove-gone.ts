import type { Instant } from '../../base/instant.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { gonePeers } from './gone-peers.ts';

/**
 * Removes from the ring, or forgets where they own nothing of it, the peers whose nodes of Kubernetes are gone, but for
 * those whose removal is under way.
 */
export function removeGone(
  node: WeftNode,
  {
    now,
    ...known
  }: {
    readonly ownName: string;
    /** Names of all nodes in the API. */
    readonly nodeNames: ReadonlySet<string>;
    /** See {@link gonePeers}. */
    readonly settled: boolean;
    readonly now: Instant;
  },
): void {
  const members = node.gossip.members();
  const owners = new Set(node.ipam.owners().map(({ owner }) => owner));
  const underWay = new Set(node.ipam.status().pending.removals.map(({ peer }) => peer));
  const peers = [...owners, ...members.map(({ peer }) => peer)];
  for (const peer of gonePeers({ ...known, self: node.peer, peers, members })) {
    if (underWay.has(peer)) continue;
    if (owners.has(peer)) node.ipam.removePeer(peer, now);
    else node.gossip.forgetPeer(peer, now);
  }
}

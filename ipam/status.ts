import type { Family } from '../base/address.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Allocator } from './allocation/allocator.ts';
import { isBlocking } from './faults.ts';
import type { IpamFault, IpamStatus } from './model/types.ts';
import { type PeerNews, peerNames } from './peer-names.ts';
import type { OwnLog } from './ring/own-log.ts';
import type { Ring } from './ring/ring.ts';

/** The status of a node, made from its parts. */
export function statusOf(node: {
  readonly self: PeerId;
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly allocator: Allocator;
  readonly faults: readonly IpamFault[];
  /** What the node would wait for, if it is neither ready nor at fault. */
  readonly waitingFor: string;
  readonly pending: IpamStatus['pending'];
  /** It may hand out nothing yet, whatever it owns. */
  readonly listening: boolean;
  readonly peers: PeerNews;
}): IpamStatus {
  const { self, ring, log, allocator, faults } = node;
  const removed = ring.removal(self) !== undefined;
  const blocking = faults.find(isBlocking);
  const ownsNothing = log.operational && ring.rangesOf(self).length === 0;
  const ready = log.operational && !node.listening && !ownsNothing;
  const waitingFor = ownsNothing && !node.listening ? rangeAwaited(node) : node.waitingFor;
  const size = (family: Family): bigint => allocator.space(family)?.owned ?? 0n;
  const free = (family: Family): bigint => allocator.space(family)?.count ?? 0n;
  return {
    state: removed ? 'removed' : blocking ? 'fault' : ready ? 'ready' : 'waiting',
    detail: blocking ? `${blocking.message}; ${blocking.remedy}` : ready ? '' : waitingFor,
    faults,
    ring: ring.view.genesis?.id,
    ringRanges: ring.view.genesis?.universes,
    revision: ring.revision,
    ranges: ring.rangesOf(self),
    owned: { 4: size(4), 6: size(6) },
    used: { 4: allocator.used(4), 6: allocator.used(6) },
    free: { 4: free(4), 6: free(6) },
    orphaned: allocator.orphaned(),
    pending: node.pending,
    removed: [...ring.view.removals].map(([peer, { heir }]) => ({ peer, heir })),
    logBytes: log.log.bytes.length,
  };
}

/** Why a node that has joined the ring has no range, and what to do. */
function rangeAwaited(node: { readonly ring: Ring; readonly peers: PeerNews }): string {
  const owners = [...node.ring.ownerSet()];
  if (owners.some(node.peers.isAlive)) return 'asks its peers for a part of the range';
  const names = peerNames(owners, node.peers.nameOf);
  return `nobody who owns a part of the range is seen alive: ${names}; start them again, or where they are gone for good, run \`weft rmpeer ID\` for each on this node (\`weft ipam\` has the ids)`;
}

import type { Instant } from '../base/instant.ts';
import type { LeaveFailure } from '../ipam/model/types.ts';
import type { WeftNode } from './weft-node.ts';

/** Why a node cannot leave at present. `disk`: what it would say cannot be written down first. */
export type LeaveRefusal = LeaveFailure | 'disk';

/**
 * Has the node give all that it owns to others and say goodbye. Undefined where that is done: what it said leaves with
 * the next outputs, and the node is good for nothing more. Otherwise nothing has changed.
 */
export function leaveRing(node: WeftNode, now: Instant): LeaveRefusal | undefined {
  if (node.diskFault !== undefined) return 'disk';
  const failure = node.ipam.leave(now);
  if (failure !== undefined) return failure;
  node.settle(now);
  node.gossip.leave(now);
  node.settle(now);
  return undefined;
}

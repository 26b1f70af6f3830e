import type { Family } from '../base/address.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Allocator } from './allocation/allocator.ts';
import { isBlocking } from './faults.ts';
import type { IpamFault, IpamStatus } from './model/types.ts';
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
}): IpamStatus {
  const { self, ring, log, allocator, faults } = node;
  const removed = ring.removal(self) !== undefined;
  const blocking = faults.find(isBlocking);
  const ready = log.operational;
  const size = (family: Family): bigint => allocator.space(family)?.owned ?? 0n;
  const free = (family: Family): bigint => allocator.space(family)?.count ?? 0n;
  return {
    state: removed ? 'removed' : blocking ? 'fault' : ready ? 'ready' : 'waiting',
    detail: blocking ? `${blocking.message}; ${blocking.remedy}` : ready ? '' : node.waitingFor,
    faults,
    ring: ring.view.genesis?.id,
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

import type { Instant } from '../base/instant.ts';
import { formatRange } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import type { LeaveResult } from '../control/control-protocol.ts';
import { type LeaveRefusal, leaveRing } from '../node/leave-ring.ts';
import type { WeftNode } from '../node/weft-node.ts';

/** Answers `weft leave`: the node has given its range away and said goodbye. Throws E_NOT_LEFT where it cannot. */
export function leaveCluster(node: WeftNode, now: Instant): LeaveResult {
  const ranges = node.ipam.rangesOf(node.peer).map(formatRange);
  const failure = leaveRing(node, now);
  if (failure !== undefined) throw new WeftError('E_NOT_LEFT', ...LEAVE_FAULTS[failure]);
  return { ranges };
}

const LEAVE_FAULTS: Readonly<Record<LeaveRefusal, readonly [message: string, remedy: string]>> = {
  'no-ring': ['this node has no part in a ring that it could give away', "see 'weft status'"],
  'in-use': ['pods of this node have addresses', "stop them first; 'weft ipam' lists them"],
  'no-heir': [
    'no other node is alive that could take the range of this one',
    'start another node first, or stop weftd without leaving',
  ],
  'log-full': [
    'the log of this node has no room to give its range away',
    'stop weftd, and run `weft rmpeer` with its name on another node',
  ],
  disk: ['the disk of this node is full', 'free some space first'],
};

import type { PeerId } from '../../base/peer-id.ts';
import { councilOf, type NewEntry, type RingLog } from './ring-log.ts';
import type { RingView } from './ring-view.ts';

/** Members of a node's council. A majority of it can remove the node; more would only make its log longer. */
const COUNCIL_LIMIT = 15;
/** Members that a council has at the least, where there are as many, before its peer gets a range. */
const COUNCIL_MINIMUM = 3;

/**
 * The entries that keep the council of `self` at its size: with live members that own a range, and without removed ones.
 * A peer that owns nothing is not taken in, because names can be invented without number. A peer that gave all away and
 * left is taken out, because its vote could never be had again.
 */
export function councilChanges(
  self: PeerId,
  log: RingLog,
  { members, removals }: RingView,
  owners: ReadonlySet<PeerId>,
  peers: { isAlive(peer: PeerId): boolean; hasLeft(peer: PeerId): boolean },
): NewEntry[] {
  const council = councilOf(self, log);
  const changes: NewEntry[] = [];
  for (const peer of council) {
    const isGone = peers.hasLeft(peer) && !owners.has(peer) && peer !== self;
    if (!removals.has(peer) && !isGone) continue;
    changes.push({ kind: 'leave', peer });
    council.delete(peer);
  }
  for (const peer of council.size < COUNCIL_LIMIT ? [...members].sort() : []) {
    if (council.size >= COUNCIL_LIMIT) break;
    if (council.has(peer) || !owners.has(peer) || !peers.isAlive(peer)) continue;
    changes.push({ kind: 'join', peer });
    council.add(peer);
  }
  return changes;
}

/** Whether so many judges, the peer itself included, are enough for it to get ranges, with so many live owners else. */
export function canBeJudged(councilSize: number, otherOwners: number): boolean {
  return councilSize >= Math.min(otherOwners + 1, COUNCIL_MINIMUM);
}

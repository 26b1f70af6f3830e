import type { PeerId } from '../../base/peer-id.ts';
import { parseCidr, rangeCidrs } from '../../base/range.ts';
import { type Allocation, type LeaveFailure, NODE_KEY } from '../model/types.ts';
import { canBeJudged } from '../ring/council.ts';
import type { OwnLog } from '../ring/own-log.ts';
import type { Ring } from '../ring/ring.ts';
import type { NewEntry } from '../ring/ring-log.ts';
import type { Allocator } from './allocator.ts';

/** What giving all away needs of its node. */
export interface GiveAllAwayHost {
  readonly self: PeerId;
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly allocator: Allocator;
  isAlive(peer: PeerId): boolean;
}

/** Gives all that this node owns to others, for good. Where that cannot be, it says why, and nothing has changed. */
export function giveAllAway(node: GiveAllAwayHost): LeaveFailure | undefined {
  const { self, ring, log, allocator, isAlive } = node;
  if (!log.operational) return 'no-ring';
  const isNodes = ({ key }: Allocation): boolean => key.containerId === NODE_KEY.containerId;
  if (!allocator.all().every(isNodes)) return 'in-use';
  const grants = grantsOnLeaving(self, ring, isAlive);
  if (grants === undefined) return 'no-heir';
  return grants.length === 0 || log.append(grants) ? undefined : 'log-full';
}

/**
 * The grants by which `self` gives away all that it owns, block by block to whom of the others owns least, so that
 * nobody is left with everything. Undefined where it owns something and nobody is alive that could take it.
 */
function grantsOnLeaving(
  self: PeerId,
  ring: Ring,
  isAlive: (peer: PeerId) => boolean,
): NewEntry[] | undefined {
  const { view } = ring;
  const owners = [...ring.ownerSet()].filter((peer) => peer !== self && isAlive(peer));
  const mayTake = (peer: PeerId): boolean =>
    peer !== self &&
    isAlive(peer) &&
    !view.forked.has(peer) &&
    !view.fenced.has(peer) &&
    canBeJudged(ring.council(peer)?.size ?? 0, owners.filter((owner) => owner !== peer).length + 1);
  const heirs = [...view.members].filter(mayTake).sort();
  const grants: NewEntry[] = [];
  for (const family of [4, 6] as const) {
    const { segments } = view.segmentsByFamily[family];
    const sizeByHeir = new Map(heirs.map((heir) => [heir, 0n]));
    for (const { start, end, owner } of segments) {
      const size = sizeByHeir.get(owner);
      if (size !== undefined) sizeByHeir.set(owner, size + end - start);
    }
    for (const { start, end, owner, version } of segments) {
      if (owner !== self) continue;
      for (const block of rangeCidrs({ family, start, end })) {
        const [least] = [...sizeByHeir].sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
        if (least === undefined) return undefined;
        const range = parseCidr(block)!;
        grants.push({ kind: 'grant', range, to: least[0], version: version + 1 });
        sizeByHeir.set(least[0], least[1] + range.end - range.start);
      }
    }
  }
  return grants;
}

import type { Family } from '../base/address.ts';
import type { PeerId } from '../base/peer-id.ts';
import { formatRange, type Range } from '../base/range.ts';
import { warningOf } from '../base/warning.ts';
import { IPAM_WARNINGS, TWO_RINGS } from './ipam-warnings.ts';
import { sameUniverses } from './model/genesis.ts';
import type { IpamFault } from './model/types.ts';
import { type PeerNews, peerNames } from './peer-names.ts';
import type { OwnLog } from './ring/own-log.ts';
import { ORIGIN_LIMIT, type Ring } from './ring/ring.ts';

/** Part of a limit from which on it is announced. */
const SOON = 0.75;

/** Faults under which nothing is allocated. */
const BLOCKING: ReadonlySet<string> = new Set([
  'E_REMOVED',
  'E_FENCE_PENDING',
  'E_RING_ROLLBACK',
  'E_RING_FORK',
  'E_RANGE_MISMATCH',
  'E_TWO_RINGS',
]);

/** Whether nothing is allocated while `fault` stands. */
export function isBlocking(fault: IpamFault): boolean {
  return BLOCKING.has(fault.code);
}

/** The standing faults of a node, the worst first. */
export function faultsOf(node: {
  readonly self: PeerId;
  readonly name: string;
  readonly ranges: readonly Range[];
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly peers: PeerNews;
  /** Listed as an elector, but without a vote. */
  readonly voteless: boolean;
}): IpamFault[] {
  const { self, ring, log } = node;
  const { view } = ring;
  const faults: IpamFault[] = [];
  if (view.removals.has(self)) faults.push(warningOf(IPAM_WARNINGS, 'E_REMOVED'));
  if (view.fenced.has(self)) faults.push(warningOf(IPAM_WARNINGS, 'E_FENCE_PENDING'));
  if (log.rollback === 'E_RING_ROLLBACK') faults.push(warningOf(IPAM_WARNINGS, 'E_RING_ROLLBACK'));
  if (log.rollback === 'E_RING_FORK' || view.forked.has(self))
    faults.push(warningOf(IPAM_WARNINGS, 'E_RING_FORK'));
  if (view.genesis && !sameUniverses(view.genesis.universes, node.ranges)) {
    const flags = rangeFlags(view.genesis.universes);
    faults.push(warningOf(IPAM_WARNINGS, 'E_RANGE_MISMATCH', { flags }));
  }
  const { genesisKey } = log.log;
  const rivals = [...view.rivals].filter(node.peers.isAlive);
  const peers = peerNames(rivals, node.peers.nameOf);
  if (genesisKey !== undefined && genesisKey !== view.genesisKey)
    faults.push(warningOf(IPAM_WARNINGS, 'E_TWO_RINGS', TWO_RINGS.otherThanObject));
  else if (rivals.length > 0 && genesisKey !== undefined && view.members.size <= 1)
    faults.push(warningOf(IPAM_WARNINGS, 'E_TWO_RINGS', TWO_RINGS.alone(peers)));
  else if (rivals.length > 0) faults.push(warningOf(IPAM_WARNINGS, 'E_RIVAL_RING', { peers }));
  if (node.voteless) faults.push(warningOf(IPAM_WARNINGS, 'E_NAME_TAKEN', { name: node.name }));
  if (view.forked.size > (view.forked.has(self) ? 1 : 0)) {
    const forked = peerNames([...view.forked], node.peers.nameOf);
    faults.push(warningOf(IPAM_WARNINGS, 'E_PEER_FORK', { peers: forked }));
  }
  if (log.full) faults.push(warningOf(IPAM_WARNINGS, 'E_RING_LOG_FULL'));
  else if (log.fill >= SOON) {
    const percent = Math.floor(100 * log.fill);
    faults.push(warningOf(IPAM_WARNINGS, 'W_RING_LOG_FILLING', { percent }));
  }
  if (ring.origins >= SOON * ORIGIN_LIMIT) {
    const { origins } = ring;
    faults.push(warningOf(IPAM_WARNINGS, 'W_RING_CROWDED', { origins, limit: ORIGIN_LIMIT }));
  }
  return faults;
}

/** The flags that give a node these ranges: `--ipalloc-range 10.32.0.0/13 --ipalloc-range6 none`. */
function rangeFlags(universes: readonly Range[]): string {
  const of = (family: Family): string => {
    const range = universes.find((each) => each.family === family);
    return range ? formatRange(range) : 'none';
  };
  return `--ipalloc-range ${of(4)} --ipalloc-range6 ${of(6)}`;
}

import type { Family } from '../base/address.ts';
import type { PeerId } from '../base/peer-id.ts';
import { formatRange, type Range } from '../base/range.ts';
import { sameUniverses } from './model/genesis.ts';
import type { IpamFault } from './model/types.ts';
import { type PeerNews, peerNames } from './peer-names.ts';
import type { OwnLog } from './ring/own-log.ts';
import { ORIGIN_LIMIT, type Ring } from './ring/ring.ts';

/** Part of a limit from which on it is announced. */
const SOON = 0.75;

const RESET =
  'stop this node, remove its state folder, start it, and `weft rmpeer` its old identity from another';

/** What a node does that is to join the ring of its peers. */
const RESET_TO_JOIN = 'stop the node, run `weft reset`, and start it again';

/** A new identity has an empty log, and what is owned passes to the heir without an entry in the heir's. */
const RENEW = `when it suits, make it a new node (in Kubernetes: drain it, delete its Node, keep it off for five minutes; else ${RESET})`;

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
  const add = (code: string, message: string, remedy: string): void =>
    void faults.push({ code, message, remedy });
  if (view.removals.has(self)) add('E_REMOVED', 'this node was removed from the ring', RESET);
  if (view.fenced.has(self))
    add(
      'E_FENCE_PENDING',
      "another node is about to take over this node's ranges",
      'nothing: it gives that up once it sees this node; else see that they reach one another',
    );
  if (log.rollback === 'E_RING_ROLLBACK')
    add('E_RING_ROLLBACK', 'the state folder is older than what this node has published', RESET);
  if (log.rollback === 'E_RING_FORK' || view.forked.has(self))
    add(
      'E_RING_FORK',
      'this identity has published two histories: a copy or a backup of its state runs',
      RESET,
    );
  if (view.genesis && !sameUniverses(view.genesis.universes, node.ranges))
    add(
      'E_RANGE_MISMATCH',
      'the address range of this node differs from the one that the ring was made with',
      `start it with ${rangeFlags(view.genesis.universes)}, as the ring has it`,
    );
  const { genesisKey } = log.log;
  const rivals = [...view.rivals].filter(node.peers.isAlive);
  const rivalNames = peerNames(rivals, node.peers.nameOf);
  if (genesisKey !== undefined && genesisKey !== view.genesisKey)
    add(
      'E_TWO_RINGS',
      'this node belongs to another ring than the one that the object weft-genesis tells',
      RESET_TO_JOIN,
    );
  else if (rivals.length > 0 && genesisKey !== undefined && view.members.size <= 1)
    add(
      'E_TWO_RINGS',
      `this node is alone in its ring, and peers that it meets belong to another: ${rivalNames}`,
      `if theirs is the right one, ${RESET_TO_JOIN}; else do that on them`,
    );
  else if (rivals.length > 0)
    add(
      'E_RIVAL_RING',
      `peers that belong to another ring are here: ${rivalNames}`,
      `${RESET_TO_JOIN}, on those whose ring is the wrong one`,
    );
  if (node.voteless)
    add(
      'E_NAME_TAKEN',
      `the name ${node.name} voted under another identity, so this node has no vote`,
      'nothing, if its disk was replaced and the others are a majority; else give each node its own name',
    );
  if (view.forked.size > (view.forked.has(self) ? 1 : 0)) {
    add(
      'E_PEER_FORK',
      `peers have published two histories: ${peerNames([...view.forked], node.peers.nameOf)}`,
      'remove those peers with `weft rmpeer`',
    );
  }
  if (log.full)
    add('E_RING_LOG_FULL', 'the log of this node is full: it grants no new node a part of its range', RENEW);
  else if (log.fill >= SOON)
    add(
      'E_RING_LOG_FILLING',
      `the log of what this node granted and voted is ${Math.floor(100 * log.fill)} % full; from 100 % on it grants no new node a part of its range`,
      RENEW,
    );
  if (ring.origins >= SOON * ORIGIN_LIMIT)
    add(
      'E_RING_CROWDED',
      `${ring.origins} of the ${ORIGIN_LIMIT} nodes that a ring can have in its life, removed ones included, are there`,
      'plan for a new ring: remove Weft, `weft reset` on all nodes, and start again',
    );
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

import type { WarningTable } from '../base/warning.ts';

const RESET =
  'stop this node, remove its state folder, start it, and `weft rmpeer` its old identity from another';

/** What a node does that is to join the ring of its peers. */
const RESET_TO_JOIN = 'stop the node, run `weft reset`, and start it again';

/** A new identity has an empty log, and what is owned passes to the heir without an entry in the heir's. */
const RENEW = `when it suits, make it a new node (in Kubernetes: drain it, delete its Node, keep it off for five minutes; else ${RESET})`;

/** What can be wrong with this node's part of the ring. */
export const IPAM_WARNINGS = {
  E_REMOVED: { message: 'this node was removed from the ring', remedy: RESET },
  E_FENCE_PENDING: {
    message: "another node is about to take over this node's ranges",
    remedy: 'nothing: it gives that up once it sees this node; else see that they reach one another',
  },
  E_RING_ROLLBACK: {
    message: 'the state folder is older than what this node has published',
    remedy: RESET,
  },
  E_RING_FORK: {
    message: 'this identity has published two histories: a copy or a backup of its state runs',
    remedy: RESET,
  },
  E_RANGE_MISMATCH: {
    message: 'the address range of this node differs from the one that the ring was made with',
    remedy: 'start it with {flags}, as the ring has it',
  },
  /** Of {@link TWO_RINGS}. */
  E_TWO_RINGS: { message: 'this node {standing}', remedy: '{remedy}' },
  E_RIVAL_RING: {
    message: 'peers that belong to another ring are here: {peers}',
    remedy: `${RESET_TO_JOIN}, on those whose ring is the wrong one`,
  },
  E_NAME_TAKEN: {
    message: 'the name {name} voted under another identity, so this node has no vote',
    remedy:
      'nothing, if its disk was replaced and the others are a majority; else give each node its own name',
  },
  E_PEER_FORK: {
    message: 'peers have published two histories: {peers}',
    remedy: 'remove those peers with `weft rmpeer`',
  },
  E_RING_LOG_FULL: {
    message: 'the log of this node is full: it grants no new node a part of its range',
    remedy: RENEW,
  },
  W_RING_LOG_FILLING: {
    message:
      'the log of what this node granted and voted is {percent} % full; from 100 % on it grants no new node a part of its range',
    remedy: RENEW,
  },
  W_RING_CROWDED: {
    message:
      '{origins} of the {limit} nodes that a ring can have in its life, removed ones included, are there',
    remedy: 'plan for a new ring: remove Weft, `weft reset` on all nodes, and start again',
  },
} as const satisfies WarningTable;

/** How this node stands to another ring that it meets, and what to do. */
export const TWO_RINGS = {
  otherThanObject: {
    standing: 'belongs to another ring than the one that the object weft-genesis tells',
    remedy: RESET_TO_JOIN,
  },
  alone: (peers: string) => ({
    standing: `is alone in its ring, and peers that it meets belong to another: ${peers}`,
    remedy: `if theirs is the right one, ${RESET_TO_JOIN}; else do that on them`,
  }),
} as const;

import { type CounterName, type CounterTable, drops, joinCounters } from '../base/counters.ts';
import { GOSSIP_COUNTERS } from '../gossip/model/gossip-counters.ts';
import { IPAM_COUNTERS } from '../ipam/model/ipam-counters.ts';
import { LINK_COUNTERS } from '../router/link/link-counters.ts';
import { TUNNEL_COUNTERS } from '../router/tunnel/tunnel-counters.ts';
import type { PeerFault } from '../router/tunnel/tunnel-status.ts';
import { QUESTION_COUNTERS } from './question-counters.ts';

/** What the node counts where it joins the cores. */
const OWN_COUNTERS = {
  'node.unknownChannel': drops(
    'message',
    'Messages of other nodes on a channel that this node does not know. Usual while nodes run different versions.',
  ),
  'node.badInfo': drops('record', 'Records of nodes whose description of the node could not be read.'),
  'node.peerIsSelf': drops('record', 'Records that would make this node a peer of its own.'),
  'node.peerTooMany': drops(
    'record',
    'Records of nodes for which there is no tunnel left: the cluster is too large.',
  ),
  'node.peerBadKey': drops(
    'record',
    'Records of nodes whose key for tunnels is malformed, or is that of this node.',
  ),
} as const satisfies CounterTable;

/** All that a node counts, with its cores; what its datapath and its shells count beside is theirs. */
export const NODE_COUNTERS = joinCounters(
  OWN_COUNTERS,
  GOSSIP_COUNTERS,
  IPAM_COUNTERS,
  LINK_COUNTERS,
  TUNNEL_COUNTERS,
  QUESTION_COUNTERS,
);

/** A name that a node counts under. */
export type NodeCounter = CounterName<typeof NODE_COUNTERS>;

/** Where it is counted that a peer's record gives no tunnel. */
export const COUNTER_BY_PEER_FAULT: Readonly<Record<PeerFault, NodeCounter>> = {
  isSelf: 'node.peerIsSelf',
  tooMany: 'node.peerTooMany',
  badKey: 'node.peerBadKey',
};

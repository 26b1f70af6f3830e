import { type CounterTable, counts, drops } from '../../base/counters.ts';

/**
 * What gossip counts. `gossip` is what nodes tell each other over their TCP links, `swim` the probes by which they
 * see whether another node lives.
 */
export const GOSSIP_COUNTERS = {
  'gossip.recordTaken': counts('Records of other nodes that were new and genuine, and were taken.'),
  'gossip.recordStale': counts(
    'Records that came again although this node holds them or newer ones. Usual: each record arrives by several ways.',
  ),
  'gossip.recordForgotten': counts(
    'Records of nodes that were removed, from a node that did not know it yet. They are not taken again.',
  ),
  'gossip.recordRateLimited': drops(
    'record',
    'Records of a node that writes more than five a second in the long run. The newest of them comes again later.',
  ),
  'gossip.recordNoRoom': drops(
    'record',
    'Records for which the record store has no room. The cluster has more nodes than this node can remember.',
  ),
  'gossip.recordBadPayload': drops('record', 'Records whose content could not be read.'),
  'gossip.recordBadSignature': drops(
    'record',
    'Records that their origin has not signed: forged or damaged on the way. Three of them end the link they came by.',
  ),
  'gossip.equivocation': counts(
    'Times another node was caught with two different records of one version: its state folder was copied or rolled back.',
  ),
  'gossip.restoreStale': drops('record', 'Records on disk that were older than one read before.'),
  'gossip.restoreNoRoom': drops('record', 'Records on disk for which the record store had no room.'),
  'gossip.restoreBadPayload': drops('record', 'Records on disk that could not be read.'),
  'gossip.restoreBadSignature': drops(
    'record',
    'Records on disk that their origin has not signed. The state folder is damaged, or of another cluster.',
  ),
  'gossip.ownAhead': counts(
    'Records of this node that others hold and it does not remember: its state folder was rolled back, or its identity is used twice.',
  ),
  'gossip.ownBehind': counts(
    'Times this node could not publish because others hold a newer record of it. It raises its boot epoch and tries again.',
  ),
  'gossip.refuted': counts(
    'Times this node contradicted others that held it for dead or suspect: it was slow, or a path to it was bad.',
  ),
  'gossip.rumourRationed': drops(
    'message',
    'Suspicions of other nodes that were ignored because too many came at once.',
  ),
  'gossip.wantDropped': drops(
    'message',
    'Requests for records that were not sent because too many are open. The next comparison asks again.',
  ),
  'gossip.frameCongested': drops(
    'message',
    'Messages that were not sent because the link is slower than what there is to say. The next comparison says it again.',
  ),
  'gossip.messageOversized': drops('message', 'Messages of other nodes that were longer than allowed.'),
  'gossip.messageUnknown': drops(
    'message',
    'Messages of a kind or version that this node does not know. Usual while nodes run different versions.',
  ),
  'gossip.messageMalformed': drops('message', 'Messages of other nodes that could not be read.'),
  'gossip.messageNoLink': drops(
    'message',
    'Messages that came from a link that was closed, or while this node left.',
  ),
  'gossip.messageBusy': drops(
    'message',
    'Questions that were not answered because the other node asks too many. It asks again later.',
  ),
  'gossip.offence': counts('Forged or malformed messages, which an honest node does not send.'),
  'gossip.linkSelf': drops(
    'link',
    'Links on which this node met itself, by an address of its own among its peers.',
  ),
  'gossip.linkDuplicate': drops('link', 'Links that were closed because another one to the same node stays.'),
  'gossip.linkSurplus': drops(
    'link',
    'Links that were closed because this node had opened more than it needs.',
  ),
  'gossip.linkFull': drops(
    'link',
    'Links that were closed because this node had accepted more than it keeps.',
  ),
  'gossip.linkOffence': drops('link', 'Links that were closed after three forged or malformed messages.'),
  'gossip.linkBanned': drops(
    'link',
    'Links that were refused because the node offended within the last minute.',
  ),
  'gossip.linkSilent': drops(
    'link',
    'Links that were closed because nothing came, or nothing could be sent, for too long.',
  ),
  'gossip.linkDead': drops('link', 'Links that were closed because their node counts as dead.'),
  'gossip.linkLeaving': drops('link', 'Links that were closed or refused because this node leaves.'),
  'swim.probeFailed': counts('Nodes that answered no probe and became suspect.'),
  'swim.indirectAck': counts(
    'Probes that only reached their node by way of another one: the path between the two is bad.',
  ),
  'swim.doubtDropped': drops(
    'message',
    'Probes out of turn that were left out because too many are under way.',
  ),
  'swim.relayDropped': drops(
    'message',
    'Requests to probe a node for another one that were ignored because too many are under way.',
  ),
} as const satisfies CounterTable;

/** A name that gossip counts under. */
export type GossipCounter = keyof typeof GOSSIP_COUNTERS;

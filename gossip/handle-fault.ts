import type { GossipCounter } from './model/gossip-counters.ts';
import type { FrameFault } from './records/frame.ts';
import type { SwimFault } from './swim/swim-packet.ts';

/**
 * Why a message of another node led to nothing. `link`: no such link (closed meanwhile). `busy`: the peer asks too much;
 * it may ask again.
 */
export type HandleFault = FrameFault | SwimFault | 'link' | 'busy';

/** Where such a message is counted. */
export const COUNTER_BY_FAULT: Readonly<Record<HandleFault, GossipCounter>> = {
  oversized: 'gossip.messageOversized',
  unknown: 'gossip.messageUnknown',
  malformed: 'gossip.messageMalformed',
  link: 'gossip.messageNoLink',
  busy: 'gossip.messageBusy',
};

import { countBy, type GaugeTable, gauge, gaugeBy } from '../base/gauges.ts';
import type { Gossip } from './gossip.ts';

const MEMBER_STATES = ['alive', 'suspect', 'dead', 'left', 'unknown'] as const;

/** What can be asked of gossip at any time. */
export const GOSSIP_GAUGES = {
  'gossip.peers': gaugeBy(
    { name: 'state', values: MEMBER_STATES },
    'count',
    'Other nodes that this node knows. Suspect: it did not answer lately; unknown: nothing was heard of it since this node started.',
    (gossip) => countBy(MEMBER_STATES, gossip.members(), ({ state }) => state),
  ),
  'gossip.links': gauge(
    'count',
    'TCP connections to other nodes over which gossip goes.',
    (gossip) => gossip.links().length,
  ),
} as const satisfies GaugeTable<Gossip>;

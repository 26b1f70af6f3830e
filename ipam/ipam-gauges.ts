import { type GaugeTable, gauge, gaugeBy } from '../base/gauges.ts';
import { rangeSize } from '../base/range.ts';
import type { IpamStatus } from './model/types.ts';

const FAMILY = { name: 'family', values: ['4', '6'] } as const;

/** What can be asked of address management at any time. Counts beyond 2^53 are rounded. */
export const IPAM_GAUGES = {
  'ipam.addressesOwned': gaugeBy(
    FAMILY,
    'count',
    'Addresses that this node owns, by IP family.',
    ({ owned }) => ({
      4: Number(owned[4]),
      6: Number(owned[6]),
    }),
  ),
  'ipam.addressesUsed': gaugeBy(
    FAMILY,
    'count',
    'Addresses in use by pods of this node and by the node itself, by IP family.',
    ({ used }) => used,
  ),
  'ipam.addressesFree': gaugeBy(
    FAMILY,
    'count',
    'Addresses that this node can hand out at once, by IP family.',
    ({ free }) => ({
      4: Number(free[4]),
      6: Number(free[6]),
    }),
  ),
  'ipam.rangeSize': gaugeBy(
    FAMILY,
    'count',
    "Addresses of the cluster's range, by IP family; 0 as long as this node has no part in a ring.",
    ({ ringRanges }) => {
      const sizeOf = (family: 4 | 6): number =>
        Number(
          (ringRanges ?? [])
            .filter((range) => range.family === family)
            .reduce((sum, range) => sum + rangeSize(range), 0n),
        );
      return { 4: sizeOf(4), 6: sizeOf(6) };
    },
  ),
  'ipam.podsOrphaned': gauge(
    'count',
    'Pods whose addresses this node does not own. They have to be restarted.',
    ({ orphaned }) => orphaned.length,
  ),
  'ipam.requestsWaiting': gauge(
    'count',
    'Requests for addresses that wait for the ring, or for another node to give a range.',
    ({ pending }) => pending.allocations,
  ),
  'ipam.removalsPending': gauge(
    'count',
    'Removals of other nodes that this node has begun and that are not done.',
    ({ pending }) => pending.removals.length,
  ),
  'ipam.peersRemoved': gauge(
    'count',
    'Nodes that were removed from the ring for good.',
    ({ removed }) => removed.length,
  ),
  'ipam.ringLogBytes': gauge(
    'bytes',
    'The log of what this node granted and voted. At 57344 bytes it grants no new node a part of its range.',
    ({ logBytes }) => logBytes,
  ),
} as const satisfies GaugeTable<IpamStatus>;

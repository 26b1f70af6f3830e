import { type CounterTable, drops } from '../../base/counters.ts';

/** What is counted of probes that peers announce. */
export const PROBE_COUNTERS = {
  'probe.malformed': drops('message', 'Messages of peers about probes of `weft why` that cannot be read.'),
  'probe.refused': drops(
    'message',
    'Probes of peers that are not watched for: of addresses that are not theirs or ours, too many at once, or nftables does not take the table.',
  ),
} as const satisfies CounterTable;

/** A name that probes are counted under. */
export type ProbeCounter = keyof typeof PROBE_COUNTERS;

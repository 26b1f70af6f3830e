import { joinCounters } from '../../base/counters.ts';
import { GATE_COUNTERS } from '../../linux/policy-gate.ts';
import { POLICY_COUNTERS } from '../../linux/policy-rules.ts';
import { RULE_COUNTERS } from '../../linux/rule-counters.ts';
import { DAEMON_COUNTERS } from '../daemon-counters.ts';

/** Null: the kernel's could not be read. */
export type Counts = Readonly<Record<string, number | null | undefined>>;

const PACKET_DROPS = Object.entries(
  joinCounters(DAEMON_COUNTERS, RULE_COUNTERS, GATE_COUNTERS, POLICY_COUNTERS),
)
  .filter(([, { drops }]) => drops === 'packet')
  .map(([name]) => name);

/** By how much the counters of dropped packets rose, of all that a report shows; those that did not are left out. */
export function packetsDropped(before: Counts, after: Counts): Record<string, number> {
  return Object.fromEntries(
    PACKET_DROPS.map((name) => [name, risenBy(before[name], after[name])] as const).filter(
      ([, risen]) => risen > 0,
    ),
  );
}

/** What is not known has not risen; what is missing was zero. */
function risenBy(before: number | null | undefined, after: number | null | undefined): number {
  return before === null || after === null ? 0 : (after ?? 0) - (before ?? 0);
}

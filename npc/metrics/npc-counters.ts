import { type CounterTable, counts, joinCounters } from '../../base/counters.ts';
import { HEALTH_COUNTERS } from '../../host/health-counters.ts';
import { METRICS_COUNTERS } from '../../host/metrics/metrics-counters.ts';

/** What weft-npc counts. */
export const NPC_COUNTERS = {
  'npc.loaded': counts('Times that weft-npc brought the packet rules up to date.'),
  'npc.loadFailed': counts(
    'Times that packet rules could not be loaded. What was loaded before stays, and it is tried again.',
  ),
  'npc.tableRepaired': counts(
    'Times that another program changed the packet rules of policies, or events of the kernel were lost, so that all were loaded again.',
  ),
} as const satisfies CounterTable;

/** All that weft-npc counts itself. */
export const OWN_NPC_COUNTERS = joinCounters(NPC_COUNTERS, HEALTH_COUNTERS, METRICS_COUNTERS);

export type NpcCounter = keyof typeof NPC_COUNTERS;

import { type CounterTable, counts } from '../base/counters.ts';
import type { RepairKind } from './repair.ts';

/** What the reconciler of the host's network does. */
export const GROUND_COUNTERS = {
  'ground.sysctlRepaired': counts('Forwarding was switched off on the host and was switched on again.'),
  'ground.tunRepaired': counts('The interface weft0 was changed by somebody and was put right.'),
  'ground.addressRepaired': counts('An address of weft0 was missing or foreign and was put right.'),
  'ground.routeRepaired': counts('A route of the pod ranges was missing or foreign and was put right.'),
  'ground.rulesRepaired': counts('The packet rules of the table inet weft were changed and were put right.'),
  'ground.podRepaired': counts("The host's end of a pod was changed by somebody and was put right."),
  'ground.lookFailed': counts("The host's network could not be read or put right; it is tried again."),
  'ground.eventsLost': counts('More changes came from the kernel than were read; all was looked at instead.'),
  'ground.eventsEnded': counts(
    'A socket that tells of changes ended or could not be opened; it is opened again.',
  ),
} as const satisfies CounterTable;

/** A name that the reconciler counts under. */
export type GroundCounter = keyof typeof GROUND_COUNTERS;

/** Where a repair of each kind is counted. */
export const COUNTER_BY_REPAIR: Readonly<Record<RepairKind, GroundCounter>> = {
  sysctl: 'ground.sysctlRepaired',
  tun: 'ground.tunRepaired',
  address: 'ground.addressRepaired',
  route: 'ground.routeRepaired',
  rules: 'ground.rulesRepaired',
  pod: 'ground.podRepaired',
};

import { type CounterTable, drops } from '../base/counters.ts';

/** What the health port counts. */
export const HEALTH_COUNTERS = {
  'health.tooSlow': drops(
    'call',
    'Connections to the health port that were closed because they took too long.',
  ),
  'health.tooMany': drops(
    'call',
    'Connections to the health port that were closed for newer ones. Somebody holds many of them open.',
  ),
} as const satisfies CounterTable;

export type HealthCounter = keyof typeof HEALTH_COUNTERS;

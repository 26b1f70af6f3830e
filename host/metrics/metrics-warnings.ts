import type { WarningTable } from '../../base/warning.ts';

/** What the port for metrics warns of. */
export const METRICS_WARNINGS = {
  W_METRICS_PORT: {
    message: 'there are no metrics: TCP {at} cannot be listened on ({fault})',
    remedy: 'stop the program that has it, or give another --metrics-listen; it is tried again until then',
  },
} as const satisfies WarningTable;

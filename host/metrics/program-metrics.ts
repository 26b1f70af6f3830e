import type { Warning } from '../../base/warning.ts';
import type { Metric } from './metric.ts';

/** What each of our programs tells of itself. */
export interface ProgramReading {
  readonly program: string;
  readonly version: string;
  /** All that its status warns of. */
  readonly problems: readonly Warning[];
}

export const PROGRAM_METRICS: readonly Metric<ProgramReading>[] = [
  {
    name: 'weft_build_info',
    type: 'gauge',
    help: 'Always 1. The labels say which program answers, and in which version.',
    labels: [
      { name: 'program', values: ['weftd', 'weft-npc'] },
      { name: 'version', values: 'one for each answer' },
    ],
    read: ({ program, version }) => [{ value: 1, labels: { program, version } }],
  },
  {
    name: 'weft_problems',
    type: 'gauge',
    help: 'What the status warns of at present, by the codes that docs/warnings.md explains. Nothing where all is well.',
    labels: [
      { name: 'code', values: 'those of docs/warnings.md, and of faults of the host that stand' },
      { name: 'severity', values: ['error', 'warning'] },
    ],
    read: ({ problems }) => {
      const countByCode = new Map<string, { severity: string; count: number }>();
      for (const { code, severity } of problems)
        countByCode.set(code, { severity, count: (countByCode.get(code)?.count ?? 0) + 1 });
      return [...countByCode].map(([code, { severity, count }]) => ({
        value: count,
        labels: { code, severity },
      }));
    },
  },
];

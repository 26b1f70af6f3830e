import { type HistogramTable, histogram } from '../../base/histograms.ts';

/** What weft-npc measures each time. */
export const NPC_HISTOGRAMS = {
  'npc.applyTime': histogram(
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    'Time from when a change of pods or policies was known here until its packet rules were loaded.',
  ),
} as const satisfies HistogramTable;

export type NpcHistogram = keyof typeof NPC_HISTOGRAMS;

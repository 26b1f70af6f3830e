import { WeftError } from '../../base/weft-error.ts';
import { readRuleCounters } from '../../linux/nftables.io.ts';
import type { RuleCounter } from '../../linux/rule-counters.ts';

/** What the kernel counts for Weft. */
export interface KernelCounters {
  /** Those that are above zero; none where the packet rules are not set. */
  readonly counts: Partial<Record<RuleCounter, number>>;
  /** Why they could not be read, and what to do, in one line. */
  readonly fault?: string;
}

/** Reads the kernel's counters. A failure is part of the answer: whoever asks for a report wants the rest of it. */
export async function readKernelCounters(): Promise<KernelCounters> {
  try {
    const counts = Object.entries((await readRuleCounters()) ?? {}).filter(([, count]) => count > 0);
    return { counts: Object.fromEntries(counts) };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return { counts: {}, fault: `${error.message}; ${error.remedy}` };
  }
}

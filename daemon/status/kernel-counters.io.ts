import { WeftError } from '../../base/weft-error.ts';
import { readRuleCounters } from '../../linux/nftables.io.ts';
import { readPolicyCounters } from '../../linux/policy-gate.io.ts';
import type { GateCounter } from '../../linux/policy-gate.ts';
import type { PolicyCounter } from '../../linux/policy-rules.ts';
import type { RuleCounter } from '../../linux/rule-counters.ts';

/** What the kernel counts for Weft. */
export interface KernelCounters {
  /** Those that are above zero; none where neither packet rules nor a gate are set. */
  readonly counts: Partial<Record<RuleCounter | GateCounter | PolicyCounter, number>>;
  /** Why they could not be read, and what to do, in one line. */
  readonly fault?: string;
}

/** Reads the kernel's counters. A failure is part of the answer: whoever asks for a report wants the rest of it. */
export async function readKernelCounters(): Promise<KernelCounters> {
  try {
    const read = { ...(await readRuleCounters()), ...(await readPolicyCounters()) };
    const counts = Object.entries(read).filter(([, count]) => count > 0);
    return { counts: Object.fromEntries(counts) };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return { counts: {}, fault: `${error.message}; ${error.remedy}` };
  }
}

import { WeftError } from '../../base/weft-error.ts';
import { readRuleCounters } from '../../linux/nftables.io.ts';
import { readPolicyCounters } from '../../linux/policy-gate.io.ts';
import { GATE_COUNTERS, type GateCounter } from '../../linux/policy-gate.ts';
import { POLICY_COUNTERS, type PolicyCounter } from '../../linux/policy-rules.ts';
import { RULE_COUNTERS, type RuleCounter } from '../../linux/rule-counters.ts';

/** What the kernel counts for Weft. */
export interface KernelCounters {
  /** Null where it is not known: no packet rules, or no gate, are set, or they could not be read. */
  readonly counts: Readonly<Record<RuleCounter | GateCounter | PolicyCounter, number | null>>;
  /** Why they could not be read, and what to do, in one line. */
  readonly fault?: string;
}

const UNKNOWN = Object.fromEntries(
  Object.keys({ ...RULE_COUNTERS, ...GATE_COUNTERS, ...POLICY_COUNTERS }).map((name) => [name, null]),
) as Record<RuleCounter | GateCounter | PolicyCounter, null>;

/** Reads the kernel's counters. A failure is part of the answer: whoever asks for a report wants the rest of it. */
export async function readKernelCounters(): Promise<KernelCounters> {
  try {
    return { counts: { ...UNKNOWN, ...(await readRuleCounters()), ...(await readPolicyCounters()) } };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return { counts: UNKNOWN, fault: `${error.message}; ${error.remedy}` };
  }
}

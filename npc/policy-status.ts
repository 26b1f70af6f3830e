import type { Instant } from '../base/instant.ts';
import { type Warning, warningOf } from '../base/warning.ts';
import type { PolicyStatusResult } from '../control/npc-request.ts';
import type { PolicyRuleSet } from '../linux/policy-table.ts';
import type { PolicyCompiler } from './compiler/policy-compiler.ts';
import { NPC_WARNINGS } from './npc-warnings.ts';
import type { KindState } from './watch/cluster-watch.io.ts';

/** What a {@link policyStatus} is made of. */
interface StatusSource {
  readonly nodeName: string;
  readonly version: string;
  readonly now: Instant;
  readonly compiler: PolicyCompiler;
  /** When the copy was complete for the first time; undefined while it is not. */
  readonly completeSince: Instant | undefined;
  readonly kinds: readonly KindState[];
  /** What is in the kernel; undefined where that is not known. */
  readonly rules: PolicyRuleSet | undefined;
  readonly lastApplyMs: number;
  readonly applyP99Ms: number;
  readonly addsWaitedMs: number | null;
  readonly attached: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly warnings: readonly Warning[];
}

/** The answer to `weft policy status`. */
export function policyStatus(source: StatusSource): PolicyStatusResult {
  const { nodeName, version, now, compiler, completeSince, kinds, rules, attached } = source;
  const unhonoured = [...compiler.unhonoured()].map(([policy, reasons]) => ({ policy, reasons }));
  return {
    node: nodeName,
    version,
    copy: {
      complete: completeSince !== undefined,
      forS: completeSince === undefined ? null : Math.floor((now - completeSince) / 1000),
      kinds: kinds.map(({ kind, version: served, complete, objects }) => ({
        kind,
        version: served ?? null,
        complete,
        objects,
      })),
    },
    loaded: rules === undefined ? null : loadedOf(rules, source),
    attached,
    waiting: compiler.waiting().map(({ link, pod, reason }) => ({
      link,
      pod: pod === null ? null : `${pod.namespace}/${pod.name}`,
      reason: WORDS_BY_REASON[reason],
    })),
    unhonoured,
    addsWaitedMs: source.addsWaitedMs,
    counters: source.counters,
    problems: [
      ...(completeSince === undefined ? [warningOf(NPC_WARNINGS, 'E_NPC_NO_COPY')] : []),
      ...source.warnings,
      ...(unhonoured.length === 0
        ? []
        : [warningOf(NPC_WARNINGS, 'W_POLICY_UNHONOURED', { count: unhonoured.length })]),
    ],
  };
}

const WORDS_BY_REASON = {
  'unknown-pod': 'the API does not know this pod on this node',
  nobody: 'nobody knows whose the interface is',
} as const;

function loadedOf(
  rules: PolicyRuleSet,
  { lastApplyMs, applyP99Ms }: StatusSource,
): NonNullable<PolicyStatusResult['loaded']> {
  let count = 0;
  for (const chain of rules.chains.values()) count += chain.length;
  return {
    pods: rules.chainsByLink.size,
    sets: rules.sets.size,
    chains: rules.chains.size,
    rules: count,
    lastApplyMs,
    applyP99Ms,
  };
}

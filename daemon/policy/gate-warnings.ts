import type { Instant } from '../../base/instant.ts';
import { type Warning, type WarningTable, warningOf } from '../../base/warning.ts';
import type { ClosedReason } from '../../npc/gate/gate-verdict.ts';
import type { GateEntry } from './gate-book.ts';

/** What weftd warns of where it keeps a gate for policies. */
export const GATE_WARNINGS = {
  E_POLICY_NEVER_COMPLETE: {
    message: 'new pods have no network: weft-npc never had a complete copy of the policies on this node',
    remedy: "see that weft-npc runs here and may read the API ('kubectl -n weft logs ds/weft-npc')",
  },
  E_PODS_AT_GATE: {
    message: 'pods have no network, for no policy was decided for them yet ({count}: {pods})',
    remedy: "see that weft-npc runs here ('kubectl -n weft logs ds/weft-npc')",
  },
  W_NPC_ABSENT: {
    message:
      'weft-npc has not been connected for {seconds} s: what is loaded holds, changes of policies wait, and so do new pods that a policy may select',
    remedy: "see that it runs here ('kubectl -n weft logs ds/weft-npc')",
  },
  E_GATE: {
    message: 'the gate for new pods cannot be changed: {fault}',
    remedy: 'see to that; weftd tries again',
  },
  W_GATE_CONTESTED: {
    message: '{program} removes or changes the nftables table inet weft-npc again and again ({count} times)',
    remedy: 'stop it, or have it leave that table',
  },
  W_POD_FILES: {
    message: "files of weftd's run folder that say whose pods these are could not be read ({count}: {names})",
    remedy: 'remove those that Weft did not write',
  },
} as const satisfies WarningTable;

/** A pod that is left closed. */
export interface WaitingPod {
  /** `namespace/name`, or its interface. */
  readonly name: string;
  readonly reason: ClosedReason | 'asked';
  readonly sinceMs: number;
}

/** What of the gate is warned of. */
interface GateCondition {
  readonly neverComplete: boolean;
  /** Undefined: weft-npc is connected. */
  readonly npcAbsentMs: number | undefined;
  readonly waiting: readonly WaitingPod[];
  readonly fault: string | undefined;
  /** Repairs of the gate within the last minutes, and who made the last one needed. */
  readonly repairs: { readonly count: number; readonly program: string | undefined };
  readonly unreadable: readonly string[];
}

/** Items that are named one by one. */
const MAX_NAMED = 5;
/** A pod waits for so long, and weft-npc is away for so long, before it is worth a line. */
const PATIENCE_MS = 5_000;
/** As many repairs mean that somebody undoes them. */
const CONTEST_REPAIRS = 5;

/** Those for which nobody has spoken. */
export function waitingPods(entries: readonly GateEntry[], now: Instant): WaitingPod[] {
  return entries.flatMap(({ attachment, standing, since }) => {
    if (standing.is === 'decided') return [];
    const { pod, link } = attachment;
    const name = pod === null ? link : `${pod.namespace}/${pod.name}`;
    return { name, reason: standing.is === 'asked' ? standing.is : standing.reason, sinceMs: now - since };
  });
}

/** The worst first. */
export function gateWarnings(condition: GateCondition): Warning[] {
  const { neverComplete, npcAbsentMs, waiting, fault, repairs, unreadable } = condition;
  const warnings: Warning[] = [];
  if (neverComplete) warnings.push(warningOf(GATE_WARNINGS, 'E_POLICY_NEVER_COMPLETE'));
  if (fault !== undefined) warnings.push(warningOf(GATE_WARNINGS, 'E_GATE', { fault }));
  const late = waiting.filter(({ sinceMs }) => sinceMs >= PATIENCE_MS);
  if (late.length > 0) {
    warnings.push(
      warningOf(GATE_WARNINGS, 'E_PODS_AT_GATE', {
        count: late.length,
        pods: some(late.map(({ name, reason }) => `${name} ${WORDS[reason]}`)),
      }),
    );
  }
  if (npcAbsentMs !== undefined && npcAbsentMs >= PATIENCE_MS) {
    const seconds = Math.round(npcAbsentMs / 1000);
    warnings.push(warningOf(GATE_WARNINGS, 'W_NPC_ABSENT', { seconds }));
  }
  if (repairs.count >= CONTEST_REPAIRS) {
    const program = repairs.program === undefined ? 'a program' : `the program ${repairs.program}`;
    warnings.push(warningOf(GATE_WARNINGS, 'W_GATE_CONTESTED', { program, count: repairs.count }));
  }
  if (unreadable.length > 0) {
    const names = some(unreadable);
    warnings.push(warningOf(GATE_WARNINGS, 'W_POD_FILES', { count: unreadable.length, names }));
  }
  return warnings;
}

const WORDS: Readonly<Record<WaitingPod['reason'], string>> = {
  asked: '(weft-npc does not answer)',
  governed: '(a policy may select it)',
  unknown: '(nobody knows which pod it is)',
  'never-complete': '(no policies are known)',
  address: '(its address was that of another pod)',
};

function some(texts: readonly string[]): string {
  const more = texts.length > MAX_NAMED ? ', …' : '';
  return texts.slice(0, MAX_NAMED).join(', ') + more;
}

import type { GateAttachment } from './attachment-file.ts';
import { type GovernedNamespaces, mayBeSelected } from './governed-file.ts';

/**
 * Whom weftd may open by itself, which is where nobody has spoken for a pod.
 *
 * | weft-npc | pod where no policy may select it | any other pod |
 * |---|---|---|
 * | serves | it speaks | it speaks |
 * | cannot be asked: absent, silent, does not know the pod | weftd opens | closed |
 * | never had a complete copy here | closed | closed |
 *
 * A container that is no pod of Kubernetes is opened by weftd whatever weft-npc does. weftd opens nobody whose address the
 * rules that are loaded hold: while weft-npc is away they may still take it for that of a pod that had it before, and
 * let pass what is meant for that one.
 */
type GateVerdict =
  /** weftd opens the gate itself. */
  | { readonly act: 'open' }
  /** weft-npc is to speak for the pod; until then it is closed. */
  | { readonly act: 'ask' }
  /** Closed until weft-npc speaks. */
  | { readonly act: 'close'; readonly reason: ClosedReason };

/**
 * Why a pod waits at the gate. governed: policies may select it, so weft-npc must speak. unknown: nobody knows whose it
 * is, and there are policies. never-complete: weft-npc never had a complete copy on this node. address: rules that are
 * loaded take its address for that of a pod that had it before.
 */
export type ClosedReason = 'governed' | 'unknown' | 'never-complete' | 'address';

/** What a verdict rests on. */
export interface GateKnowledge {
  /** weft-npc is connected and has a complete copy, and it did not let this pod wait too long or say that it does not know it. */
  readonly npcSpeaks: boolean;
  /** What its file says; undefined where there is none, or none that can be read. */
  readonly governed: GovernedNamespaces | undefined;
}

/** What weftd does for a pod that is not in the set of those decided. */
export function gateVerdict(
  { pod, ungoverned }: Pick<GateAttachment, 'pod' | 'ungoverned'>,
  { npcSpeaks, governed }: GateKnowledge,
): GateVerdict {
  if (ungoverned) return { act: 'open' };
  if (npcSpeaks) return { act: 'ask' };
  if (governed === undefined) return { act: 'close', reason: 'never-complete' };
  if (!mayBeSelected(governed, pod?.namespace)) return { act: 'open' };
  return { act: 'close', reason: pod === null ? 'unknown' : 'governed' };
}

import { type CounterTable, counts } from '../../base/counters.ts';

/** What happens to interfaces inside pods. */
export const POD_COUNTERS = {
  'pods.mended': counts('Something of the interface inside a pod was changed and was put right.'),
  'pods.mendFailed': counts('The interface inside a pod could not be read or put right; it is tried again.'),
  'pods.notHeld': counts('A pod whose interface cannot be kept, since its ADD came without what that needs.'),
  'pods.handedOver': counts('A pod that was kept by the weftd before this one and was taken over from it.'),
  'pods.handOverFailed': counts(
    'A pod that the weftd before this one handed over and that could not be taken over.',
  ),
} as const satisfies CounterTable;

/** A name that is counted under. */
export type PodCounter = keyof typeof POD_COUNTERS;

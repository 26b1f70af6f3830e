import { type CounterTable, counts, drops } from '../base/counters.ts';

/** What the CNI plugin counts: the calls of the container runtime. */
export const CNI_COUNTERS = {
  'cni.addDone': counts('Pods attached to the network.'),
  'cni.addFailed': drops('call', 'Attachments of pods that failed. The runtime tries again.'),
  'cni.delDone': counts('Pods detached from the network.'),
  'cni.delFailed': drops('call', 'Detachments of pods that failed. The runtime tries again.'),
  'cni.checkDone': counts('Checks of a pod that found everything in its place.'),
  'cni.checkFailed': drops('call', 'Checks of a pod that failed, or found something missing.'),
  'cni.gcDone': counts('Clean-ups that the runtime asked for.'),
  'cni.gcFailed': drops('call', 'Clean-ups that the runtime asked for and that failed in part or whole.'),
  'cni.statusDone': counts('Times the runtime asked whether the network is ready, and it was.'),
  'cni.statusFailed': drops('call', 'Times the runtime asked whether the network is ready, and it was not.'),
  'cni.unknownFailed': drops('call', 'Calls with a command that the CNI specification does not have.'),
  'cni.undoFailed': counts(
    'Failed attachments of which something remained. It is removed by the next start or clean-up.',
  ),
  'cni.collected': counts('Attachments that a clean-up removed because the runtime no longer knows them.'),
  'cni.spoolUnreadable': drops(
    'call',
    'Detachments that were kept for the next start of weftd and could not be read then.',
  ),
} as const satisfies CounterTable;

/** A name that the CNI plugin counts under. */
export type CniCounter = keyof typeof CNI_COUNTERS;

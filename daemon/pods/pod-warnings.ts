import type { WarningTable } from '../../base/warning.ts';

/** What happens to interfaces inside pods. */
export const POD_WARNINGS = {
  W_POD_UNDONE: {
    message: '{pod}: {found}; somebody undoes the repair, {repairs} times in {minutes} min',
    remedy: "see what in the pod, or what else in its network namespace, changes the pod's interface",
  },
  W_POD_NOT_MENDED: {
    message: '{pod} may be cut off, since its interface cannot be put right: {fault}',
    remedy: 'weftd tries again; else delete the pod, so that it is made anew',
  },
  W_POD_CUT_OFF: {
    message:
      '{pod} may be cut off: its interface was set down in the pod, and this weftd began after the pod and cannot reach into it',
    remedy: 'delete the pod, so that it is made anew',
  },
} as const satisfies WarningTable;

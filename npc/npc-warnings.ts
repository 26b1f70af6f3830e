import type { WarningTable } from '../base/warning.ts';

/** What weft-npc warns of. */
export const NPC_WARNINGS = {
  E_NPC_NO_COPY: {
    message: 'weft-npc has no complete copy of the API yet; nothing that is loaded is changed',
    remedy:
      'see that this node reaches the API server, and that the manifest with its permissions is applied',
  },
  E_NPC_NO_GATE: {
    message: 'weftd keeps no gate for policies here, so none are enforced: {fault}',
    remedy: 'start weftd with --policy',
  },
  E_NPC_TABLE_CONTESTED: {
    message: '{by} changes the table inet weft-npc, {count} times within a minute',
    remedy: "stop it, or have it leave what is Weft's",
  },
  W_NPC_NO_WEFTD: {
    message: 'weftd cannot be asked who hangs here: {fault}',
    remedy: 'see that weftd runs; pods that are known stay under their policies',
  },
  W_NPC_UNREADABLE: {
    message: '{count} attachments cannot be read',
    remedy: 'see the files in pods/ of the run folder; those pods stay closed',
  },
  W_POLICY_UNHONOURED: {
    message: '{count} policies say what cannot be done as they say it',
    remedy: "see which and why at the end of 'weft policy status'; what is not understood opens nothing",
  },
} as const satisfies WarningTable;

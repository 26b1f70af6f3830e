import { removePolicyTable } from '../../linux/policy-gate.io.ts';
import { GateFolder } from './gate-folder.io.ts';

/** Removes the gate for policies, and all that belongs to it, of a weftd that had one. Rejects as nft does. */
export async function removeGate(runDir: string): Promise<void> {
  // The mark first: weft-npc puts back a table that goes while there is one.
  new GateFolder(runDir).clear();
  await removePolicyTable();
}

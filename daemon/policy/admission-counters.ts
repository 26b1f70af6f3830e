import { type CounterTable, counts, drops } from '../../base/counters.ts';

/** What weftd does at the gate, where pods wait until policies were decided for them. */
export const ADMISSION_COUNTERS = {
  'admission.asked': counts('Pods of which weft-npc was told and whose start waited for its word.'),
  'admission.decided': counts('Pods for which weft-npc spoke before their start had waited too long.'),
  'admission.silent': counts(
    'Pods for which weft-npc did not speak within two seconds. They started without its word.',
  ),
  'admission.opened': counts('Pods that weftd let through by itself, because no policy may select them.'),
  'admission.addressHeld': counts(
    'Pods that weftd did not let through by itself yet: rules that are loaded take their address for that of an earlier pod.',
  ),
  'admission.closed': counts(
    'Pods that started while the gate is closed for them. They have no network until weft-npc speaks.',
  ),
  'admission.waitedMs': counts('Milliseconds that starts of pods waited at the gate, all together.'),
  'admission.gateRepaired': counts('The gate was removed or changed by somebody and was laid again.'),
  'admission.strayRemoved': counts(
    'Interfaces that the gate let through though nobody had spoken for them, or whose pods are gone, were taken out.',
  ),
  'admission.nftFailed': counts('A change of the gate failed; it is tried again.'),
  'admission.fileUnreadable': counts('A file that says whose pod hangs on an interface could not be read.'),
  'admission.fileUnwritten': counts(
    'A file that says whose pod hangs on an interface could not be written. A restart of weftd forgets the pod.',
  ),
  'admission.tooManyWaiters': drops('call', 'Requests of weft-npc, because as many wait already as may.'),
} as const satisfies CounterTable;

/** A name that the gate counts under. */
export type AdmissionCounter = keyof typeof ADMISSION_COUNTERS;

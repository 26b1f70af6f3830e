import type { InheritedDevices } from '../../router/datapath/datapath.ts';
import type { HandedTunnels } from '../../router/tunnel/handover/handed-tunnels.ts';

/** What the weftd that served a node before leaves to the one that takes it over. */
export interface Inheritance {
  /** Its open devices, which it reads until {@link tunnels} is called. */
  readonly devices: InheritedDevices;
  /**
   * Has it stop, and resolves with its tunnels as they are then; undefined where it has none to give any more. Never rejects.
   * From then on the devices are the heir's alone, or about to be. The caller wipes the keys.
   */
  tunnels(): Promise<HandedTunnels | undefined>;
  /** Lets go of the devices. Harmless when repeated. */
  close(): void;
}

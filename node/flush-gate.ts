import { after, type Instant } from '../base/instant.ts';
import { WeftError } from '../base/weft-error.ts';
import type { IpamStore } from '../ipam/model/store.ts';

/** A full disk is tried again this often. */
export const DISK_RETRY_MS = 1_000;

/**
 * Stands between the ring and the world: nothing of ipam's leaves before what it rests on is on disk.
 *
 * While the disk is full the gate stays shut. What was staged stays staged and what ipam said waits in it, so nothing
 * is answered, promised or published that a crash could take back; tunnels, gossip and the pods' traffic, which rest
 * on nothing new, go on. Ending the process would cost the pods their network for a fault that is not theirs.
 */
export class FlushGate {
  readonly #store: IpamStore;
  readonly #onChange: (fault: WeftError | undefined) => void;
  #fault: WeftError | undefined;
  #retryAt: Instant | undefined;

  /** `onChange` is told when the gate shuts, and why, and when it opens again. */
  constructor(store: IpamStore, onChange: (fault: WeftError | undefined) => void) {
    this.#store = store;
    this.#onChange = onChange;
  }

  /** Why the gate is shut; undefined while it is open. */
  get fault(): WeftError | undefined {
    return this.#fault;
  }

  /** When to ask again, while it is shut. */
  nextTimeout(): Instant | undefined {
    return this.#retryAt;
  }

  /**
   * Whether all that was staged is on disk now. While the disk is full it asks the store once in
   * {@link DISK_RETRY_MS}. Throws what the store throws beyond E_DISK_FULL: the process has to end then.
   */
  pass(now: Instant): boolean {
    if (this.#retryAt !== undefined && now < this.#retryAt) return false;
    try {
      this.#store.flush();
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'E_DISK_FULL') throw error;
      this.#retryAt = after(now, DISK_RETRY_MS);
      this.#set(error);
      return false;
    }
    this.#retryAt = undefined;
    this.#set(undefined);
    return true;
  }

  #set(fault: WeftError | undefined): void {
    const changed = (fault === undefined) !== (this.#fault === undefined);
    this.#fault = fault;
    if (changed) this.#onChange(fault);
  }
}

import { addon, type Handle } from './addon.ts';

/** Looks at the packets that an interface sends, with their link-layer headers, as they are handed to the interface. */
export class PacketCapture {
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /**
   * Of the interface with the index `link`, in this process's network namespace, from now on. Throws
   * {@link SystemError}: EPERM without CAP_NET_RAW, ENODEV or ENXIO where there is no such interface.
   */
  static open(link: number): PacketCapture {
    return new PacketCapture(addon().captureOpen(link));
  }

  /**
   * Searches the packets that were sent since the last call, 65,536 at most, and does not wait. `matches` of `packets`
   * hold `bytes`. Throws {@link SystemError}: ENETDOWN where the interface went down.
   */
  search(bytes: Uint8Array): { readonly packets: number; readonly matches: number } {
    return addon().captureSearch(this.#handle, bytes);
  }

  /** Harmless when repeated. */
  close(): void {
    addon().captureClose(this.#handle);
  }
}

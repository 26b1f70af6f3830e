import { addon, type Handle } from './addon.ts';

/**
 * A descriptor of any kind that another process handed us, and that becomes readable some time: a netlink socket with
 * events, an inotify instance, a process (pidfd). It costs nothing until then.
 */
export class DescriptorWatch {
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** Duplicates `fd`, which stays the caller's to close. Throws SystemError. */
  static adopt(fd: number): DescriptorWatch {
    return new DescriptorWatch(addon().descriptorAdopt(fd));
  }

  /**
   * Calls `onReadable` once on the event loop when it can be read, or has an error; then again after each {@link again}.
   * To be called once. Throws SystemError where it cannot be waited for.
   */
  start(onReadable: () => void): void {
    addon().descriptorStart(this.#handle, onReadable);
  }

  /** `onReadable` is called once more. Nothing after {@link close}. */
  again(): void {
    addon().descriptorAgain(this.#handle);
  }

  /** What is there to read, at most 64 KiB; empty where nothing is. Throws SystemError, EBADF after {@link close}. */
  read(): Uint8Array {
    return addon().descriptorRead(this.#handle);
  }

  /** Throws away what is there to read; messages of a netlink socket one by one. Throws SystemError as {@link read} does. */
  drain(): void {
    addon().descriptorDrain(this.#handle);
  }

  /** The descriptor, to be handed on; −1 once it is closed. */
  get fd(): number {
    return addon().descriptorNumber(this.#handle);
  }

  /** Ends it. `onReadable` is not called any more. Harmless when repeated. */
  close(): void {
    addon().descriptorClose(this.#handle);
  }
}

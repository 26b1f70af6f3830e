import { addon, type Handle } from './addon.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE } from './netlink-events.ts';

/**
 * A routing netlink socket (AF_NETLINK, NETLINK_ROUTE). It speaks for the network namespace it was opened in,
 * whatever process holds it: that is how the daemon works inside a pod without entering it.
 */
export class RouteSocket {
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** A socket of this process's own network namespace. Throws SystemError. */
  static open(): RouteSocket {
    return new RouteSocket(addon().netlinkOpen(NETLINK_ROUTE));
  }

  /**
   * A socket that another process opened and handed us. `fd` is duplicated, so it stays the caller's to close.
   * Throws SystemError, ENOTSOCK where `fd` is anything but a routing netlink socket.
   */
  static adopt(fd: number): RouteSocket {
    return new RouteSocket(addon().netlinkAdopt(fd));
  }

  /**
   * Makes `fd`, a routing netlink socket that another process opened, a member of a group (RTNLGRP_*), so that it can be
   * read when something changes in its namespace. Throws SystemError.
   */
  static join(fd: number, group: number): void {
    addon().netlinkJoin(fd, group);
  }

  /** The descriptor, to be handed on; −1 once it is closed. */
  get fd(): number {
    return addon().netlinkNumber(this.#handle);
  }

  /**
   * Sends `request`, `count` netlink messages with the sequence numbers `firstSequence`, `firstSequence + 1`, …,
   * each of which asks for an acknowledgement or is a dump (at most one, and last), and resolves to every
   * message the kernel answered with, each padded to 4 bytes, the closing NLMSG_ERROR and NLMSG_DONE included.
   *
   * Runs off the event loop; one at a time, a second rejects with EBUSY. The kernel carries messages out in order
   * and does not stop at one that fails. Rejects with SystemError: ETIMEDOUT after `timeoutMs` (at most 60,000;
   * the kernel may still have done it), EMSGSIZE past a bound (a request of 256 KiB or 1,024 messages, an answer of
   * 16 MiB), EBADF after {@link close}.
   */
  async transact(
    request: Uint8Array,
    firstSequence: number,
    count: number,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    return addon().netlinkTransact(this.#handle, request, firstSequence, count, timeoutMs);
  }

  /** Closes the socket, at once or when the transaction under way has ended. Harmless when repeated. */
  close(): void {
    addon().netlinkClose(this.#handle);
  }
}

/** A netlink socket for requests to nftables, of this process's own network namespace. */
export class NetfilterSocket {
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** Throws SystemError. */
  static open(): NetfilterSocket {
    return new NetfilterSocket(addon().netlinkOpen(NETLINK_NETFILTER));
  }

  /** The port by which the kernel knows it, and tells who listens whose a change was. No other open socket has it. */
  get port(): number {
    return addon().netlinkPort(this.#handle);
  }

  /**
   * Sends `batch`, all messages of which have the number `sequence`, and resolves to what the kernel answers up to the
   * first error or acknowledgement. Else as {@link RouteSocket.transact}.
   */
  async transact(batch: Uint8Array, sequence: number, timeoutMs: number): Promise<Uint8Array> {
    return addon().netlinkTransact(this.#handle, batch, sequence, 1, timeoutMs);
  }

  /** As {@link RouteSocket.close}. */
  close(): void {
    addon().netlinkClose(this.#handle);
  }
}

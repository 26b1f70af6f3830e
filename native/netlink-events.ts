import { addon, type Handle, type SystemError } from './addon.ts';

/** Netlink protocols, <linux/netlink.h>: links, addresses, routes, rules, neighbours. Anybody may listen. */
export const NETLINK_ROUTE = 0;
/** nftables, connection tracking, NFLOG. Joining a group needs CAP_NET_ADMIN over the network namespace. */
export const NETLINK_NETFILTER = 12;

/** How many bytes of events may wait in the kernel, its own accounting included. */
const NETLINK_EVENT_BUFFER_BYTES = 1024 * 1024;

/** Who is told. All calls come on the event loop, never from within a call of {@link NetlinkEvents}. */
export interface NetlinkEventListener {
  /**
   * Datagrams in the order in which the kernel sent them, at most {@link NETLINK_BATCH_DATAGRAMS}. Each holds one or more whole netlink messages.
   * They are views into memory that is reused: valid until this returns.
   */
  onDatagrams(datagrams: readonly Uint8Array[]): void;
  /**
   * Events were lost, because more came than was read. Comes when all that was kept has been delivered: whoever reads
   * the whole state from the kernel after this call misses nothing, since later changes come as events again.
   */
  onLost(): void;
  /** The socket can be read no more. Called at most once; only {@link NetlinkEvents.close} makes sense after it. */
  onError(error: SystemError): void;
}

/** As many come at once; of fewer it is certain that nothing more waited, unless they are long. */
export const NETLINK_BATCH_DATAGRAMS = 64;

interface NetlinkEventOptions {
  /**
   * Default {@link NETLINK_EVENT_BUFFER_BYTES}. The kernel grants twice that for its accounting, and without
   * CAP_NET_ADMIN no more than net.core.rmem_max allows.
   */
  readonly receiveBufferBytes?: number;
}

/**
 * A netlink socket that is a member of multicast groups, so that the kernel tells what changes in the network
 * namespace in which this process was when it opened the socket (netlink(7)).
 *
 * Memory is bounded by the kernel's receive buffer and one batch of 256 KiB. While nothing happens it costs nothing.
 * Datagrams that other processes send to the socket are thrown away: every datagram is the kernel's.
 */
export class NetlinkEvents {
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /**
   * Opens a socket of `protocol` (0–31), joins `groups` (numbers from 1, RTNLGRP_* or NFNLGRP_*) and listens. To miss
   * nothing, open it before the state is read for the first time.
   * @throws SystemError: EPERM where joining needs CAP_NET_ADMIN (every protocol but NETLINK_ROUTE), EINVAL for a group
   * that this kernel does not know, EPROTONOSUPPORT for a protocol that it lacks. WeftError E_NATIVE_MISSING.
   */
  static open(
    protocol: number,
    groups: readonly number[],
    listener: NetlinkEventListener,
    options: NetlinkEventOptions = {},
  ): NetlinkEvents {
    const bufferBytes = options.receiveBufferBytes ?? NETLINK_EVENT_BUFFER_BYTES;
    const events = new NetlinkEvents(addon().netlinkEventsOpen(protocol, bufferBytes));
    try {
      for (const group of groups) events.join(group);
      addon().netlinkEventsStart(
        events.#handle,
        (buffer, offsets, lengths, count) => listener.onDatagrams(views(buffer, offsets, lengths, count)),
        () => listener.onLost(),
        (error) => listener.onError(error),
      );
    } catch (error) {
      events.close();
      throw error;
    }
    return events;
  }

  /** Becomes a member of one more group. Throws SystemError as {@link open} does, EBADF after {@link close}. */
  join(group: number): void {
    addon().netlinkEventsJoin(this.#handle, group);
  }

  /**
   * Sends one datagram to the kernel: configuration, as NFLOG wants it, or a request. What the kernel answers comes
   * among the events. Bytes sent, or −errno: −EBADF (−9) after {@link close}.
   */
  send(datagram: Uint8Array): number {
    return addon().netlinkEventsSend(this.#handle, datagram);
  }

  /** Reads nothing until {@link goOn}: what comes meanwhile waits in the kernel, as far as its buffer goes. */
  rest(): void {
    addon().netlinkEventsRest(this.#handle);
  }

  /** Reads again. Harmless where it does, and after {@link close}. */
  goOn(): void {
    addon().netlinkEventsGoOn(this.#handle);
  }

  /** Ends it. No call comes after this. Safe at any time, also within a call of the listener; harmless when repeated. */
  close(): void {
    addon().netlinkEventsClose(this.#handle);
  }
}

function views(buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => buffer.subarray(offsets[i]!, offsets[i]! + lengths[i]!));
}

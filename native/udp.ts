import { type Address, addressBytes, addressFromBytes, parseAddress } from '../base/address.ts';
import { addon, type Handle } from './addon.ts';

/** Bytes between the beginnings of two messages in a batch. */
export const UDP_SLOT_BYTES = 65_536;

/** 32-bit words that describe one message of a batch. */
export const UDP_WORDS = 8;

/**
 * Receives a batch of `count` messages. Message `i` is at `i * UDP_SLOT_BYTES` of `buffer`, described by the words
 * from `i * UDP_WORDS`:
 *
 * ```
 *   0        1         2      3 … 6     7
 *   | length | segment | port | address | tos |   IPv4 in word 3, network order read as numbers
 * ```
 *
 * `segment` is 0 where the message is one datagram; else it is datagrams of `segment` bytes from one sender, the last
 * may be shorter. `tos` is the byte of DSCP and ECN that all of them came with. All arrays are reused: they are valid until the callback returns.
 */
type OnUdpBatch = (buffer: Uint8Array, words: Uint32Array, count: number) => void;

/**
 * A UDP socket that moves datagrams in batches (Linux: UDP_SEGMENT, UDP_GRO, recvmmsg). `node:dgram` costs a system
 * call, an object and a copy for each datagram; this a few for each batch. See docs/adr/0005-udp-batches.md.
 */
export interface UdpSocket {
  /** The socket itself, for `fastdp.ts`. */
  readonly handle: Handle;
  readonly family: 4 | 6;
  readonly descriptor: number;
  /** What it is bound to. */
  readonly address: Address;
  readonly port: number;
  /** The kernel takes several datagrams in one {@link send}; tried out over the loopback. */
  readonly segments: boolean;
  /** The kernel hands on several datagrams as one message. */
  readonly joins: boolean;
  /** Begins to read, once. `onWritable`: see {@link awaitWritable}. `onError`: a read failed; it goes on reading. */
  start(onBatch: OnUdpBatch, onWritable: () => void, onError: (errno: number) => void): void;
  /** In place of {@link start} where somebody else reads: only tells `onWritable`. */
  startSending(onWritable: () => void): void;
  /**
   * Sends `data[0, length)` to `address` (4 or 16 bytes) as datagrams of `segment` bytes, the last may be shorter; at
   * most 64, which every kernel with UDP_SEGMENT takes; `tos` is the byte of DSCP and ECN in their IP headers. Bytes
   * sent, or −errno: −EAGAIN (−11) where the kernel has no room, −EMSGSIZE (−90)
   * where a datagram is too large, −EIO (−5) or −EINVAL (−22) where it cannot send several at once after all.
   */
  send(
    address: Uint8Array,
    port: number,
    data: Uint8Array,
    length: number,
    segment: number,
    tos: number,
  ): number;
  /** Calls `onWritable` once, as soon as the kernel has room again. */
  awaitWritable(): void;
  /** Harmless when repeated. */
  close(): void;
}

/**
 * Binds a socket to `host` (an IP address) and `port` (0: any). It serves the family of `host` alone.
 * @throws SystemError (as Node's: EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, …; EINVAL where `host` is no address),
 * WeftError E_NATIVE_MISSING.
 */
export function openUdp(host: string, port: number): UdpSocket {
  const address = parseAddress(host);
  const bytes = address === undefined ? new Uint8Array(0) : addressBytes(address);
  return new NativeUdp(addon().udpOpen(address?.family ?? 4, bytes, port));
}

/**
 * Takes part in a bound socket that another process has open, by a descriptor that came from there; `fd` stays open. Both may
 * send, and only one may receive.
 * @throws SystemError EINVAL where it is no UDP socket.
 */
export function adoptUdp(fd: number): UdpSocket {
  return new NativeUdp(addon().udpAdopt(fd));
}

class NativeUdp implements UdpSocket {
  readonly family: 4 | 6;
  readonly descriptor: number;
  readonly address: Address;
  readonly port: number;
  readonly segments: boolean;
  readonly joins: boolean;
  readonly handle: Handle;
  readonly #send = addon().udpSend;

  constructor(opened: ReturnType<ReturnType<typeof addon>['udpOpen']>) {
    this.family = opened.family;
    this.descriptor = opened.fd;
    this.address = addressFromBytes(opened.address)!;
    this.port = opened.port;
    this.segments = opened.segments;
    this.joins = opened.joins;
    this.handle = opened.handle;
  }

  start(onBatch: OnUdpBatch, onWritable: () => void, onError: (errno: number) => void): void {
    addon().udpStart(this.handle, onBatch, onWritable, onError, 1);
  }

  startSending(onWritable: () => void): void {
    const never = (): void => undefined;
    addon().udpStart(this.handle, never, onWritable, never, 0);
  }

  send(
    address: Uint8Array,
    port: number,
    data: Uint8Array,
    length: number,
    segment: number,
    tos: number,
  ): number {
    return this.#send(this.handle, address, port, data, length, segment, tos);
  }

  awaitWritable(): void {
    addon().udpAwaitWritable(this.handle);
  }

  close(): void {
    addon().udpClose(this.handle);
  }
}

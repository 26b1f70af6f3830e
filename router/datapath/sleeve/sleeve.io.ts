import { type Family, parseAddress } from '../../../base/address.ts';
import { assert } from '../../../base/assert.ts';
import type { Counters } from '../../../base/counters.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { completeChecksum } from '../../packet/checksum.ts';
import { emptyIpPacket, parseIpPacket } from '../../packet/ip-packet.ts';
import {
  emptyVnetHeader,
  readVnetHeader,
  VNET_HEADER_LENGTH,
  VNET_NEEDS_CSUM,
} from '../../packet/vnet-header.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import { BatchSocket, type SleeveUdp } from './batch-socket.io.ts';
import { DgramSocket } from './dgram-socket.io.ts';
import type { DatapathSink } from './sleeve-state.ts';
import { SOCKET_BUFFER_BYTES, type TunnelSocket } from './tunnel-socket.ts';

/** The part of a TUN device that the sleeve uses; `native/tun.ts` has one. */
export interface SleeveTun {
  readonly offloads: { readonly vnetHeader: boolean };
  /** Frame `i` is `buffer.subarray(offsets[i], offsets[i] + lengths[i])`; all is valid until the callback returns. */
  start(
    onBatch: (
      buffer: Uint8Array,
      offsets: ArrayLike<number>,
      lengths: ArrayLike<number>,
      count: number,
    ) => void,
    onError?: (error: WeftError) => void,
  ): void;
  /** Bytes written, or −errno. */
  write(frame: Uint8Array): number;
  close(): void;
}

interface SleeveIoOptions {
  /** UDP port of all sockets; 0 lets the kernel choose (then use one address). */
  readonly port: number;
  /** Addresses to listen on. Default: all of IPv4, and of IPv6 where the host has it. */
  readonly listen?: readonly string[];
  /** Without one, frames to deliver are counted and dropped. */
  readonly tun?: SleeveTun;
  readonly counters: Counters<DatapathCounter>;
  /** Opens a socket that moves datagrams in batches. Default: sockets of `node:dgram`. */
  readonly openUdp?: (host: string, port: number) => SleeveUdp;
  /** Called with each socket's descriptor before it is used: buffers past the system's limit, path MTU discovery. */
  readonly tuneSocket?: (descriptor: number, family: Family) => void;
}

/** Whom the input goes to. The bytes are valid only during the call. */
interface SleeveIoHandlers {
  /**
   * Datagrams of one sender, of `segment` bytes each, the last may be shorter. The bytes may be changed. `tos`: the byte
   * of DSCP and ECN that all came with.
   */
  onDatagrams(from: Endpoint, bytes: Uint8Array, segment: number, tos: number): void;
  onFrame(frame: Uint8Array): void;
  /** What one wake-up of a socket or of the TUN yielded has been handed over: time to flush. */
  onBatchEnd(): void;
  /** The TUN can be read no more. */
  onTunError?(error: WeftError): void;
}

/**
 * The sleeve's shell: its UDP sockets and its TUN.
 *
 * Nothing here throws once it is open: failures to send, receive or write are counted.
 */
export class SleeveIo implements DatapathSink {
  readonly #sockets: TunnelSocket[] = [];
  readonly #tun: SleeveTun | undefined;
  readonly #counters: Counters<DatapathCounter>;
  #handlers: SleeveIoHandlers | undefined;
  #closed = false;

  private constructor(options: SleeveIoOptions) {
    this.#tun = options.tun;
    this.#counters = options.counters;
  }

  /**
   * Binds the sockets. All or nothing.
   * @throws WeftError E_PORT_TAKEN, E_LISTEN_ADDRESS (not an address, or not one of this host), E_LISTEN.
   */
  static async open(options: SleeveIoOptions): Promise<SleeveIo> {
    const io = new SleeveIo(options);
    try {
      for (const text of options.listen ?? ['0.0.0.0', '::']) await io.#listen(text, options);
      if (io.#sockets.length === 0) throw listenError({ code: 'EAFNOSUPPORT' }, 'any address', options.port);
    } catch (error) {
      io.close();
      throw error;
    }
    return io;
  }

  /** Begins to read the TUN and to hand on what comes in. Once. */
  start(handlers: SleeveIoHandlers): void {
    assert(this.#handlers === undefined, 'a shell is started once');
    this.#handlers = handlers;
    const onDatagrams = (from: Endpoint, bytes: Uint8Array, segment: number, tos: number): void => {
      handlers.onDatagrams(from, bytes, segment, tos);
    };
    for (const socket of this.#sockets) socket.start({ onDatagrams, onBatchEnd: () => this.#endBatch() });
    this.#tun?.start(
      (buffer, offsets, lengths, count) => this.#readBatch(buffer, offsets, lengths, count),
      (error) => this.#handlers?.onTunError?.(error),
    );
  }

  /** The port that the first socket is bound to. */
  get port(): number {
    return this.#sockets[0]!.port;
  }

  transmit(to: Endpoint, bytes: Uint8Array, segment = bytes.length, tos = 0): void {
    const family = to.startsWith('[') ? 6 : 4;
    const socket = this.#closed ? undefined : this.#sockets.find((one) => one.family === family);
    if (socket === undefined) {
      this.#counters.add('datapath.noSocket');
      return;
    }
    socket.send(to, bytes, segment, tos);
  }

  deliver(frame: Uint8Array): void {
    if (this.#tun === undefined || this.#closed) {
      this.#counters.add('datapath.noTun');
      return;
    }
    const written = this.#tun.write(this.#tun.offloads.vnetHeader ? frame : withoutVnetHeader(frame));
    if (written < 0) this.#counters.add(written === -22 ? 'datapath.tunInvalid' : 'datapath.tunWriteFailed');
  }

  /** Ends all. Harmless when repeated. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const socket of this.#sockets) socket.close();
    this.#tun?.close();
  }

  async #listen(host: string, options: SleeveIoOptions): Promise<void> {
    const { port, openUdp, tuneSocket } = options;
    const family = parseAddress(host)?.family;
    if (family === undefined) throw listenError({ code: 'EINVAL' }, host, port);
    try {
      const socket =
        openUdp === undefined
          ? await DgramSocket.open(host, family, port, this.#counters)
          : new BatchSocket(openUdp(host, port), this.#counters);
      this.#sockets.push(socket);
      const { descriptor } = socket;
      if (tuneSocket !== undefined && descriptor !== undefined) tuneSocket(descriptor, family);
      else if (socket instanceof DgramSocket) socket.setBuffers(SOCKET_BUFFER_BYTES);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const noIpv6 = family === 6 && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL');
      if (options.listen === undefined && noIpv6) return;
      throw listenError(cause as NodeJS.ErrnoException, host, port);
    }
  }

  #endBatch(): void {
    if (!this.#closed) this.#handlers!.onBatchEnd();
  }

  #readBatch(
    buffer: Uint8Array,
    offsets: ArrayLike<number>,
    lengths: ArrayLike<number>,
    count: number,
  ): void {
    const handlers = this.#handlers!;
    for (let i = 0; i < count; i++) {
      const frame = buffer.subarray(offsets[i]!, offsets[i]! + lengths[i]!);
      handlers.onFrame(this.#tun!.offloads.vnetHeader ? frame : withVnetHeader(frame));
    }
    this.#endBatch();
  }
}

function withVnetHeader(packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(VNET_HEADER_LENGTH + packet.length);
  frame.set(packet, VNET_HEADER_LENGTH);
  return frame;
}

/** The bare packet, with its checksum completed in place: a TUN without offloads takes no partial ones. */
function withoutVnetHeader(frame: Uint8Array): Uint8Array {
  const packet = frame.subarray(VNET_HEADER_LENGTH);
  const header = emptyVnetHeader();
  const ip = emptyIpPacket();
  readVnetHeader(frame, 0, header);
  if (header.flags & VNET_NEEDS_CSUM && parseIpPacket(packet, 0, packet.length, ip) === undefined) {
    completeChecksum(packet, header.csumStart, header.csumOffset, packet.length, ip.protocol);
  }
  return packet;
}

function listenError(
  cause: { readonly code?: string | undefined },
  address: string,
  port: number,
): WeftError {
  const where = `UDP ${address} port ${port}`;
  switch (cause.code) {
    case 'EADDRINUSE': {
      const remedy = 'stop the program that has it (perhaps another weftd), or choose another --port';
      return new WeftError('E_PORT_TAKEN', `${where} is taken`, remedy, { cause });
    }
    case 'EINVAL':
    case 'EADDRNOTAVAIL': {
      const remedy = 'give --listen an address that this host has';
      return new WeftError('E_LISTEN_ADDRESS', `${where} cannot be listened on`, remedy, { cause });
    }
    default: {
      const remedy = 'see that this host has the address family and permits the port';
      return new WeftError('E_LISTEN', `${where} cannot be opened (${cause.code})`, remedy, { cause });
    }
  }
}

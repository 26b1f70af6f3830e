import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { addressBytes, addressFromBytes, type Family, parseAddress } from '../base/address.ts';
import { assert } from '../base/assert.ts';
import { plainBytes } from '../base/bytes.ts';
import type { Counters } from '../base/counters.ts';
import { type Endpoint, endpoint, endpointHost, endpointPort } from '../base/endpoint.ts';
import { WeftError } from '../base/weft-error.ts';
import { completeChecksum } from './checksum.ts';
import { emptyIpPacket, parseIpPacket } from './ip-packet.ts';
import type { DatapathSink } from './sleeve-state.ts';
import { emptyVnetHeader, readVnetHeader, VNET_HEADER_LENGTH, VNET_NEEDS_CSUM } from './vnet-header.ts';

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

export interface SleeveIoOptions {
  /** UDP port of all sockets; 0 lets the kernel choose (then use one address). */
  readonly port: number;
  /** Addresses to listen on. Default: all of IPv4, and of IPv6 where the host has it. */
  readonly listen?: readonly string[];
  /** Without one, frames to deliver are counted and dropped. */
  readonly tun?: SleeveTun;
  readonly counters: Counters;
  /** Called with each socket's descriptor before it is used: buffers past the system's limit, path MTU discovery. */
  readonly tuneSocket?: (descriptor: number, family: Family) => void;
}

/** Whom the input goes to. The bytes are valid only during the call. */
export interface SleeveIoHandlers {
  onDatagram(from: Endpoint, bytes: Uint8Array): void;
  onFrame(frame: Uint8Array): void;
  /** What one wake-up of a socket or of the TUN yielded has been handed over: time to flush. */
  onBatchEnd(): void;
  /** The TUN can be read no more. */
  onTunError?(error: WeftError): void;
}

/** Buffers asked of each socket where `tuneSocket` is not given or fails; the system limits them. */
const SOCKET_BUFFER_BYTES = 7 * 1024 * 1024;
/** Bytes that may wait in a socket for room in the kernel before packets are dropped. */
const MAX_SEND_QUEUE_BYTES = 4 * 1024 * 1024;
/** Endpoints whose text is kept taken apart, in each direction; the cache is emptied when it is full. */
const MAX_CACHED_ENDPOINTS = 4096;
const MAX_DATAGRAM = 65_535;

interface Target {
  readonly socket: Socket;
  readonly host: string;
  readonly port: number;
}

/**
 * The sleeve's shell: its UDP sockets and its TUN.
 *
 * Copies: `dgram` sends at once while the kernel has room (libuv's try-send) and otherwise keeps the buffer until it
 * has. So packets are copied to one slot; should the socket keep it, it is left to the socket and replaced, and while
 * packets queue there each is a copy of its own, up to {@link MAX_SEND_QUEUE_BYTES}.
 *
 * Nothing here throws once it is open: failures to send, receive or write are counted.
 */
export class SleeveIo implements DatapathSink {
  readonly #sockets: { readonly socket: Socket; readonly family: Family }[] = [];
  readonly #tun: SleeveTun | undefined;
  readonly #counters: Counters;
  readonly #targetByEndpoint = new Map<Endpoint, Target>();
  readonly #endpointByOrigin = new Map<string, Endpoint | undefined>();
  #handlers: SleeveIoHandlers | undefined;
  #slot = new Uint8Array(MAX_DATAGRAM);
  #batchOpen = false;
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

  /** Begins to read the TUN and to hand on what comes in; datagrams that came before are lost. Once. */
  start(handlers: SleeveIoHandlers): void {
    assert(this.#handlers === undefined, 'a shell is started once');
    this.#handlers = handlers;
    for (const { socket, family } of this.#sockets) {
      socket.on('message', (bytes, from) => this.#receive(bytes, from, family));
    }
    this.#tun?.start(
      (buffer, offsets, lengths, count) => this.#readBatch(buffer, offsets, lengths, count),
      (error) => this.#handlers?.onTunError?.(error),
    );
  }

  /** The port that the first socket is bound to. */
  get port(): number {
    return this.#sockets[0]!.socket.address().port;
  }

  transmit(to: Endpoint, bytes: Uint8Array): void {
    const target = this.#closed ? undefined : this.#target(to);
    if (target === undefined) {
      this.#counters.add('sleeve.io.noSocket');
      return;
    }
    const { socket, port, host } = target;
    if (socket.getSendQueueCount() > 0) {
      if (socket.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) this.#counters.add('sleeve.io.sendQueueFull');
      else socket.send(bytes.slice(), port, host, this.#onSent);
      return;
    }
    this.#slot.set(bytes);
    socket.send(this.#slot, 0, bytes.length, port, host, this.#onSent);
    if (socket.getSendQueueCount() > 0) this.#slot = new Uint8Array(MAX_DATAGRAM);
  }

  deliver(frame: Uint8Array): void {
    if (this.#tun === undefined || this.#closed) {
      this.#counters.add('sleeve.io.noTun');
      return;
    }
    const written = this.#tun.write(this.#tun.offloads.vnetHeader ? frame : withoutVnetHeader(frame));
    if (written < 0) this.#counters.add(written === -22 ? 'sleeve.io.tunInvalid' : 'sleeve.io.tunWrite');
  }

  /** Ends all. Harmless when repeated. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { socket } of this.#sockets) socket.close();
    this.#tun?.close();
  }

  async #listen(text: string, options: SleeveIoOptions): Promise<void> {
    const address = parseAddress(text);
    if (address === undefined) throw listenError({ code: 'EINVAL' }, text, options.port);
    const family = address.family;
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      // Targets are addresses already: without this every send would wait for a round of the event loop.
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port: options.port, address: text, exclusive: true }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (cause) {
      socket.close();
      const { code } = cause as NodeJS.ErrnoException;
      const noIpv6 = family === 6 && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL');
      if (options.listen === undefined && noIpv6) return;
      throw listenError(cause as NodeJS.ErrnoException, text, options.port);
    }
    socket.on('error', () => this.#counters.add('sleeve.io.socketError'));
    this.#sockets.push({ socket, family });
    this.#tune(socket, family, options.tuneSocket);
  }

  #tune(socket: Socket, family: Family, tuneSocket: SleeveIoOptions['tuneSocket']): void {
    const descriptor = socketDescriptor(socket);
    if (tuneSocket !== undefined && descriptor !== undefined) {
      tuneSocket(descriptor, family);
      return;
    }
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  }

  #receive(bytes: Uint8Array, from: RemoteInfo, family: Family): void {
    const origin = this.#origin(from, family);
    if (origin === undefined) {
      this.#counters.add('sleeve.io.badOrigin');
      return;
    }
    if (!this.#batchOpen) {
      this.#batchOpen = true;
      // The check phase follows the poll phase, in which libuv has read what the socket had (up to 32 datagrams).
      setImmediate(this.#endBatch);
    }
    this.#handlers?.onDatagram(origin, plainBytes(bytes));
  }

  readonly #endBatch = (): void => {
    this.#batchOpen = false;
    if (!this.#closed) this.#handlers?.onBatchEnd();
  };

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
    handlers.onBatchEnd();
  }

  #target(to: Endpoint): Target | undefined {
    const cached = this.#targetByEndpoint.get(to);
    if (cached !== undefined) return cached;
    const host = endpointHost(to);
    const family = host.includes(':') ? 6 : 4;
    const found = this.#sockets.find((one) => one.family === family);
    if (found === undefined) return undefined;
    const target = { socket: found.socket, host, port: endpointPort(to) };
    if (this.#targetByEndpoint.size >= MAX_CACHED_ENDPOINTS) this.#targetByEndpoint.clear();
    this.#targetByEndpoint.set(to, target);
    return target;
  }

  #origin(from: RemoteInfo, family: Family): Endpoint | undefined {
    // The kernel's dotted quad is canonical; IPv6 text may not be.
    if (family === 4) return from.port === 0 ? undefined : (`${from.address}:${from.port}` as Endpoint);
    const key = `${from.address} ${from.port}`;
    const cached = this.#endpointByOrigin.get(key);
    if (cached !== undefined) return cached;
    const origin = canonicalEndpoint(from.address, from.port);
    if (this.#endpointByOrigin.size >= MAX_CACHED_ENDPOINTS) this.#endpointByOrigin.clear();
    this.#endpointByOrigin.set(key, origin);
    return origin;
  }

  readonly #onSent = (error: Error | null): void => {
    if (error === null) return;
    const { code } = error as NodeJS.ErrnoException;
    this.#counters.add(SEND_FAULTS[code ?? ''] ?? 'sleeve.io.sendFailed');
  };
}

const SEND_FAULTS: Readonly<Record<string, string>> = {
  EMSGSIZE: 'sleeve.io.messageTooLarge',
  ENOBUFS: 'sleeve.io.noBuffers',
  ECONNREFUSED: 'sleeve.io.connectionRefused',
  ENETUNREACH: 'sleeve.io.networkUnreachable',
  EHOSTUNREACH: 'sleeve.io.hostUnreachable',
  EPERM: 'sleeve.io.sendForbidden',
};

/**
 * The endpoint of an address and port as a socket gives them: IPv4 in IPv6 (`::ffff:192.0.2.1`) becomes IPv4.
 * Undefined for port 0, and for link-local addresses, whose zone an endpoint cannot tell.
 */
export function canonicalEndpoint(text: string, port: number): Endpoint | undefined {
  const address = parseAddress(text);
  if (address === undefined || port === 0) return undefined;
  if (address.family === 6 && address.value >> 32n === 0xffffn) {
    return endpoint(addressFromBytes(addressBytes(address).subarray(12))!, port);
  }
  return endpoint(address, port);
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

/**
 * The descriptor beneath a `dgram` socket, which Node keeps in a symbol property; its public `_handle` is deprecated.
 * Undefined where a later Node hides it better: then the sockets have the buffers that the system allows.
 */
function socketDescriptor(socket: Socket): number | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find((one) => one.description === 'state symbol');
  const state = symbol && (socket as unknown as Record<symbol, { handle?: { fd?: unknown } }>)[symbol];
  const descriptor = state?.handle?.fd;
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
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

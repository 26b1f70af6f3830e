import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { addressBytes, addressFromBytes, type Family, parseAddress } from '../../../base/address.ts';
import { plainBytes } from '../../../base/bytes.ts';
import type { Counters } from '../../../base/counters.ts';
import { type Endpoint, endpoint, endpointHost, endpointPort } from '../../../base/endpoint.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import {
  MAX_CACHED_ENDPOINTS,
  MAX_DATAGRAM,
  MAX_SEND_QUEUE_BYTES,
  sendFault,
  type TunnelSocket,
  type TunnelSocketHandlers,
} from './tunnel-socket.ts';

interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * A tunnel's socket by `node:dgram`: works everywhere, and says what the batched one has to do, but that `dgram` can
 * neither set nor tell the DSCP and ECN of a datagram.
 *
 * Copies: `dgram` sends at once while the kernel has room (libuv's try-send) and otherwise keeps the buffer until it
 * has. So packets are copied to one slot; should the socket keep it, it is left to the socket and replaced, and while
 * packets queue there each is a copy of its own, up to {@link MAX_SEND_QUEUE_BYTES}.
 */
export class DgramSocket implements TunnelSocket {
  readonly family: Family;
  readonly #socket: Socket;
  readonly #counters: Counters<DatapathCounter>;
  readonly #targetByEndpoint = new Map<Endpoint, Target>();
  readonly #endpointByOrigin = new Map<string, Endpoint | undefined>();
  #handlers: TunnelSocketHandlers | undefined;
  #slot = new Uint8Array(MAX_DATAGRAM);
  #batchOpen = false;
  #closed = false;

  private constructor(socket: Socket, family: Family, counters: Counters<DatapathCounter>) {
    this.#socket = socket;
    this.family = family;
    this.#counters = counters;
    socket.on('error', () => counters.add('datapath.socketError'));
  }

  /** Binds a socket to the IP address `host`. Rejects with the system's error. */
  static async open(
    host: string,
    family: Family,
    port: number,
    counters: Counters<DatapathCounter>,
  ): Promise<DgramSocket> {
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      // Targets are addresses already: without this every send would wait for a round of the event loop.
      lookup: (target, _options, callback) => callback(null, target, family),
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port, address: host, exclusive: true }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      socket.close();
      throw error;
    }
    return new DgramSocket(socket, family, counters);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /**
   * The descriptor beneath, which Node keeps in a symbol property; its public `_handle` is deprecated. Undefined where
   * a later Node hides it better.
   */
  get descriptor(): number | undefined {
    const keys = Object.getOwnPropertySymbols(this.#socket);
    const symbol = keys.find((one) => one.description === 'state symbol');
    const state =
      symbol && (this.#socket as unknown as Record<symbol, { handle?: { fd?: unknown } }>)[symbol];
    const descriptor = state?.handle?.fd;
    return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
  }

  /** Buffers of this many bytes, as far as the system allows. */
  setBuffers(bytes: number): void {
    this.#socket.setRecvBufferSize(bytes);
    this.#socket.setSendBufferSize(bytes);
  }

  start(handlers: TunnelSocketHandlers): void {
    this.#handlers = handlers;
    this.#socket.on('message', (bytes, from) => this.#receive(bytes, from));
  }

  send(to: Endpoint, bytes: Uint8Array, segment = bytes.length): void {
    for (let at = 0; at < bytes.length; at += segment) this.#sendOne(to, bytes.subarray(at, at + segment));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  #sendOne(to: Endpoint, bytes: Uint8Array): void {
    if (this.#closed) return;
    const { port, host } = this.#target(to);
    const socket = this.#socket;
    if (socket.getSendQueueCount() > 0) {
      if (socket.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) this.#counters.add('datapath.sendQueueFull');
      else socket.send(bytes.slice(), port, host, this.#onSent);
      return;
    }
    this.#slot.set(bytes);
    socket.send(this.#slot, 0, bytes.length, port, host, this.#onSent);
    if (socket.getSendQueueCount() > 0) this.#slot = new Uint8Array(MAX_DATAGRAM);
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    const origin = this.#origin(from);
    if (origin === undefined) {
      this.#counters.add('datapath.badOrigin');
      return;
    }
    if (!this.#batchOpen) {
      this.#batchOpen = true;
      // The check phase follows the poll phase, in which libuv has read what the socket had (up to 32 datagrams).
      setImmediate(this.#endBatch);
    }
    this.#handlers?.onDatagrams(origin, plainBytes(bytes), bytes.length, 0);
  }

  readonly #endBatch = (): void => {
    this.#batchOpen = false;
    if (!this.#closed) this.#handlers?.onBatchEnd();
  };

  #target(to: Endpoint): Target {
    const cached = this.#targetByEndpoint.get(to);
    if (cached !== undefined) return cached;
    const target = { host: endpointHost(to), port: endpointPort(to) };
    if (this.#targetByEndpoint.size >= MAX_CACHED_ENDPOINTS) this.#targetByEndpoint.clear();
    this.#targetByEndpoint.set(to, target);
    return target;
  }

  #origin(from: RemoteInfo): Endpoint | undefined {
    // The kernel's dotted quad is canonical; IPv6 text may not be.
    if (this.family === 4) return from.port === 0 ? undefined : (`${from.address}:${from.port}` as Endpoint);
    const key = `${from.address} ${from.port}`;
    const cached = this.#endpointByOrigin.get(key);
    if (cached !== undefined) return cached;
    const origin = canonicalEndpoint(from.address, from.port);
    if (this.#endpointByOrigin.size >= MAX_CACHED_ENDPOINTS) this.#endpointByOrigin.clear();
    this.#endpointByOrigin.set(key, origin);
    return origin;
  }

  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#counters.add(sendFault((error as NodeJS.ErrnoException).code));
  };
}

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

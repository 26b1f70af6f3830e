import { createServer, type Server, Socket } from 'node:net';
import { parseAddress } from '../../base/address.ts';
import { plainBytes } from '../../base/bytes.ts';
import { type Endpoint, endpoint, endpointHost, endpointPort } from '../../base/endpoint.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { LinkId } from '../../gossip/model/gossip-output.ts';

/** A connection is closed when its peer leaves so many bytes unread. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
/** Connections at once, both ways; more are refused at the door. */
const MAX_CONNECTIONS = 512;
const CONNECT_TIMEOUT_MS = 5_000;
/** From our end of a link to the end of its socket, whatever the peer sends or leaves unread meanwhile. */
const CLOSE_WITHIN_MS = 2_000;
/**
 * What one peer may send us in the long run, and at once. Above that we do not read: its bytes fill the kernel's buffers,
 * and then the peer has to wait.
 */
const INBOUND_BYTES_PER_S = 2 * 1024 * 1024;
const INBOUND_BURST_BYTES = 8 * 1024 * 1024;
/** The system notices a peer that vanished without a word within about this (gossip does it sooner). */
const KEEPALIVE_MS = 15_000;

interface TcpLinkEvents {
  /** Somebody connected, to `local`: the id the connection is to have, or undefined to refuse it. */
  accepted(remote: Endpoint, local: Endpoint | undefined): LinkId | undefined;
  /** A dialled connection stands; `local` is our end of it. */
  connected(link: LinkId, local: Endpoint | undefined): void;
  /** Bytes of the stream; valid until the call returns. */
  received(link: LinkId, bytes: Uint8Array): void;
  /** What is to be sent waits for the peer to take it in, or no longer does. */
  congested(link: LinkId, congested: boolean): void;
  /** The connection is gone, or never came about: `errno` says why, where the system did. Not told after {@link TcpLinks.close}. */
  closed(link: LinkId, errno: string | undefined): void;
}

/** The TCP connections of control links, by the id that the node gives them. */
export class TcpLinks {
  readonly #events: TcpLinkEvents;
  readonly #servers: Server[] = [];
  readonly #socketByLink = new Map<LinkId, Socket>();

  private constructor(events: TcpLinkEvents) {
    this.#events = events;
  }

  /**
   * Listens on `hosts` (`::` takes IPv4 too). Rejects with E_PORT_TAKEN, E_LISTEN; nothing is then left open.
   */
  static async listen(hosts: readonly string[], port: number, events: TcpLinkEvents): Promise<TcpLinks> {
    const links = new TcpLinks(events);
    try {
      for (const host of hosts) links.#servers.push(await links.#listen(host, port));
    } catch (error) {
      links.closeAll();
      throw error;
    }
    return links;
  }

  dial(link: LinkId, to: Endpoint): void {
    const socket = new Socket();
    this.#adopt(link, socket);
    const late = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
    const giveUp = setTimeout(() => socket.destroy(late), CONNECT_TIMEOUT_MS).unref();
    socket.once('close', () => clearTimeout(giveUp));
    socket.connect({ host: endpointHost(to), port: endpointPort(to) }, () => {
      clearTimeout(giveUp);
      this.#events.connected(link, localOf(socket));
    });
  }

  /** Queues `bytes`, which the caller must not change afterwards. Closes the link when too much is unsent. */
  write(link: LinkId, bytes: Uint8Array): void {
    const socket = this.#socketByLink.get(link);
    if (socket === undefined) return;
    if (socket.writableLength + bytes.length > MAX_UNSENT_BYTES) socket.destroy();
    else if (!socket.write(bytes)) this.#events.congested(link, true);
  }

  /** Sends what is queued, then closes. Unknown links are ignored. */
  close(link: LinkId): void {
    const socket = this.#socketByLink.get(link);
    if (socket === undefined) return;
    this.#socketByLink.delete(link);
    socket.end();
    // Whoever does not close its side in turn is cut off. No idle timeout: a byte now and then would renew it, and the
    // socket would hold a place for as long as the far end likes.
    const cut = setTimeout(() => socket.destroy(), CLOSE_WITHIN_MS).unref();
    socket.once('close', () => clearTimeout(cut));
  }

  /** Ends the link at once, with all that is queued. Unknown links are ignored. */
  cut(link: LinkId): void {
    const socket = this.#socketByLink.get(link);
    this.#socketByLink.delete(link);
    socket?.destroy();
  }

  closeAll(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#socketByLink.values()) socket.destroy();
    this.#socketByLink.clear();
  }

  #listen(host: string, port: number): Promise<Server> {
    const { promise, resolve, reject } = Promise.withResolvers<Server>();
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = MAX_CONNECTIONS;
    server.once('error', (cause: NodeJS.ErrnoException) => reject(listenFault(host, port, cause)));
    server.listen({ host, port, ipv6Only: host !== '::' && host.includes(':') }, () => {
      // What goes wrong with a single accept (no descriptors left) must not end the daemon.
      server.removeAllListeners('error').on('error', () => {});
      resolve(server);
    });
    return promise;
  }

  #accept(socket: Socket): void {
    const remote = endpointOf(socket.remoteAddress, socket.remotePort);
    const link = remote === undefined ? undefined : this.#events.accepted(remote, localOf(socket));
    if (link === undefined) socket.destroy();
    else this.#adopt(link, socket);
  }

  #adopt(link: LinkId, socket: Socket): void {
    this.#socketByLink.set(link, socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    const allowance = new Allowance();
    socket.on('data', (bytes) => {
      const waitMs = allowance.take(bytes.length, performance.now());
      if (waitMs > 0) {
        socket.pause();
        setTimeout(() => socket.resume(), waitMs);
      }
      if (this.#socketByLink.get(link) === socket) this.#events.received(link, plainBytes(bytes));
    });
    socket.on('drain', () => {
      if (this.#socketByLink.get(link) === socket) this.#events.congested(link, false);
    });
    let errno: string | undefined;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      errno = error.code; // 'close' follows
    });
    socket.on('close', () => {
      if (this.#socketByLink.delete(link)) this.#events.closed(link, errno);
    });
  }
}

/** A token bucket of bytes that may go into debt, which the sender then waits out. */
class Allowance {
  #left = INBOUND_BURST_BYTES;
  #at = 0;

  /** Takes `bytes` at `nowMs`; milliseconds until the next may be taken, 0 where at once. */
  take(bytes: number, nowMs: number): number {
    const refill = ((nowMs - this.#at) / 1000) * INBOUND_BYTES_PER_S;
    this.#left = Math.min(INBOUND_BURST_BYTES, this.#left + refill) - bytes;
    this.#at = nowMs;
    return this.#left >= 0 ? 0 : (-this.#left / INBOUND_BYTES_PER_S) * 1000;
  }
}

function localOf(socket: Socket): Endpoint | undefined {
  return endpointOf(socket.localAddress, socket.localPort);
}

function endpointOf(host: string | undefined, port: number | undefined): Endpoint | undefined {
  const text = host?.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
  const address = text === undefined ? undefined : parseAddress(text);
  return address === undefined || !port ? undefined : endpoint(address, port);
}

function listenFault(host: string, port: number, cause: NodeJS.ErrnoException): WeftError {
  if (cause.code === 'EADDRINUSE') {
    const message = `TCP port ${port} of ${host} is in use`;
    return new WeftError('E_PORT_TAKEN', message, 'stop the program that has it, or give another --port', {
      cause,
    });
  }
  const remedy = 'give an address of this host with --listen';
  return new WeftError('E_LISTEN', `cannot listen on ${host} port ${port}: ${cause.message}`, remedy, {
    cause,
  });
}

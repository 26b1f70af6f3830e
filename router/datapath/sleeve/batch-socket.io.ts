import { addressBytes, type Family, parseAddress } from '../../../base/address.ts';
import type { Counters } from '../../../base/counters.ts';
import { type Endpoint, endpointHost, endpointPort } from '../../../base/endpoint.ts';
import { UDP_SLOT_BYTES, UDP_WORDS } from '../../../native/udp.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import { UdpOrigins } from '../udp-origins.ts';
import {
  MAX_CACHED_ENDPOINTS,
  MAX_SEND_QUEUE_BYTES,
  sendFault,
  type TunnelSocket,
  type TunnelSocketHandlers,
} from './tunnel-socket.ts';

/** A socket that moves datagrams in batches; `native/udp.ts` has one and says what the parts mean. */
export interface SleeveUdp {
  readonly family: Family;
  readonly descriptor: number;
  readonly port: number;
  /** Several datagrams of equal size may be sent at once. */
  readonly segments: boolean;
  start(
    onBatch: (buffer: Uint8Array, words: Uint32Array, count: number) => void,
    onWritable: () => void,
    onError: (errno: number) => void,
  ): void;
  /** Bytes sent, or −errno. */
  send(
    address: Uint8Array,
    port: number,
    data: Uint8Array,
    length: number,
    segment: number,
    tos: number,
  ): number;
  awaitWritable(): void;
  close(): void;
}

/** Where the words of port and address begin, and where the TOS byte is. */
const ORIGIN_WORD = 2;
const TOS_WORD = 7;

const EIO = 5;
const EAGAIN = 11;
/** The failures that have a counter of their own; Linux has these numbers everywhere but on Alpha, MIPS, SPARC. */
const CODES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  90: 'EMSGSIZE',
  101: 'ENETUNREACH',
  105: 'ENOBUFS',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
};

interface Target {
  readonly address: Uint8Array;
  readonly port: number;
}

interface Queued {
  readonly target: Target;
  readonly bytes: Uint8Array;
  readonly segment: number;
  readonly tos: number;
}

/**
 * A tunnel's socket over {@link SleeveUdp}. A run of datagrams leaves by one call, or one by one where the kernel or the
 * device takes no runs. What the kernel has no room for waits, in order, bounded by {@link MAX_SEND_QUEUE_BYTES}.
 */
export class BatchSocket implements TunnelSocket {
  readonly #udp: SleeveUdp;
  readonly #counters: Counters<DatapathCounter>;
  readonly #targetByEndpoint = new Map<Endpoint, Target>();
  readonly #origins: UdpOrigins;
  #handlers: TunnelSocketHandlers | undefined;
  #closed = false;
  #segments: boolean;

  readonly #queue: Queued[] = [];
  #queuedBytes = 0;

  constructor(udp: SleeveUdp, counters: Counters<DatapathCounter>) {
    this.#udp = udp;
    this.#counters = counters;
    this.#segments = udp.segments;
    this.#origins = new UdpOrigins(udp.family);
  }

  get family(): Family {
    return this.#udp.family;
  }

  get port(): number {
    return this.#udp.port;
  }

  get descriptor(): number {
    return this.#udp.descriptor;
  }

  start(handlers: TunnelSocketHandlers): void {
    this.#handlers = handlers;
    this.#udp.start(
      (buffer, words, count) => this.#receive(buffer, words, count),
      () => this.#drain(),
      () => this.#counters.add('datapath.socketError'),
    );
  }

  send(to: Endpoint, bytes: Uint8Array, segment = bytes.length, tos = 0): void {
    this.#sendRun(this.#target(to), bytes, bytes.length, segment, tos);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#udp.close();
  }

  #sendRun(target: Target, data: Uint8Array, length: number, segment: number, tos: number): void {
    if (this.#closed) return;
    if (length > segment && !this.#segments) {
      this.#sendSingly(target, data, length, segment, tos);
      return;
    }
    if (this.#queue.length > 0) {
      this.#keep({ target, bytes: data.slice(0, length), segment, tos });
      return;
    }
    const outcome = this.#udp.send(target.address, target.port, data, length, segment, tos);
    if (outcome >= 0) return;
    if (outcome === -EAGAIN) this.#keep({ target, bytes: data.slice(0, length), segment, tos });
    else if (length <= segment) this.#failed(outcome);
    else {
      // A run that was refused may hold datagrams that are not; a device without checksums refuses all runs.
      if (outcome === -EIO) {
        this.#segments = false;
        this.#counters.add('datapath.segmentsOff');
      }
      this.#sendSingly(target, data, length, segment, tos);
    }
  }

  #sendSingly(target: Target, data: Uint8Array, length: number, segment: number, tos: number): void {
    for (let at = 0; at < length; at += segment) {
      const one = data.subarray(at, Math.min(at + segment, length));
      if (this.#queue.length > 0) {
        this.#keep({ target, bytes: one.slice(), segment: one.length, tos });
        continue;
      }
      const sent = this.#udp.send(target.address, target.port, one, one.length, one.length, tos);
      if (sent === -EAGAIN) this.#keep({ target, bytes: one.slice(), segment: one.length, tos });
      else if (sent < 0) this.#failed(sent);
    }
  }

  #keep(run: Queued): void {
    const { bytes, segment } = run;
    if (this.#queuedBytes + bytes.length > MAX_SEND_QUEUE_BYTES) {
      this.#counters.add('datapath.sendQueueFull', datagramsIn(bytes.length, segment));
      return;
    }
    if (this.#queue.length === 0) this.#udp.awaitWritable();
    this.#queue.push(run);
    this.#queuedBytes += bytes.length;
  }

  /** The kernel has room again. */
  #drain(): void {
    let done = 0;
    for (const { target, bytes, segment, tos } of this.#queue) {
      const outcome = this.#udp.send(target.address, target.port, bytes, bytes.length, segment, tos);
      if (outcome === -EAGAIN) break;
      if (outcome < 0) this.#failed(outcome, datagramsIn(bytes.length, segment));
      this.#queuedBytes -= bytes.length;
      done++;
    }
    this.#queue.splice(0, done);
    if (this.#queue.length > 0) this.#udp.awaitWritable();
  }

  #failed(outcome: number, datagrams = 1): void {
    this.#counters.add(sendFault(CODES[-outcome]), datagrams);
  }

  #receive(buffer: Uint8Array, words: Uint32Array, count: number): void {
    const handlers = this.#handlers!;
    for (let i = 0; i < count && !this.#closed; i++) {
      const origin = this.#origins.endpoint(words, i * UDP_WORDS + ORIGIN_WORD);
      if (origin === undefined) {
        this.#counters.add('datapath.badOrigin');
        continue;
      }
      const at = i * UDP_SLOT_BYTES;
      const length = words[i * UDP_WORDS]!;
      const segment = words[i * UDP_WORDS + 1]! || length;
      handlers.onDatagrams(
        origin,
        buffer.subarray(at, at + length),
        segment,
        words[i * UDP_WORDS + TOS_WORD]!,
      );
    }
    if (!this.#closed) handlers.onBatchEnd();
  }

  #target(to: Endpoint): Target {
    const cached = this.#targetByEndpoint.get(to);
    if (cached !== undefined) return cached;
    const target = { address: addressBytes(parseAddress(endpointHost(to))!), port: endpointPort(to) };
    if (this.#targetByEndpoint.size >= MAX_CACHED_ENDPOINTS) this.#targetByEndpoint.clear();
    this.#targetByEndpoint.set(to, target);
    return target;
  }
}

function datagramsIn(length: number, segment: number): number {
  return Math.max(1, Math.ceil(length / Math.max(1, segment)));
}

import { type Address, addressBytes, type Family, parseAddress } from '../../../base/address.ts';
import type { Counters } from '../../../base/counters.ts';
import { type Endpoint, endpoint, endpointHost, endpointPort } from '../../../base/endpoint.ts';
import { UDP_SLOT_BYTES, UDP_WORDS } from '../../../native/udp.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
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

/** The words of port and address are those from 2 to here; the TOS byte follows. */
const ORIGIN_END = 7;
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
  readonly #originByWords = new Map<string, Endpoint | undefined>();
  #handlers: TunnelSocketHandlers | undefined;
  #closed = false;
  #segments: boolean;

  readonly #queue: Queued[] = [];
  #queuedBytes = 0;

  readonly #lastWords = new Uint32Array(UDP_WORDS);
  #lastOrigin: Endpoint | undefined;

  constructor(udp: SleeveUdp, counters: Counters<DatapathCounter>) {
    this.#udp = udp;
    this.#counters = counters;
    this.#segments = udp.segments;
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
      const origin = this.#origin(words, i * UDP_WORDS);
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

  /** Who sent the message that the words from `at` describe. */
  #origin(words: Uint32Array, at: number): Endpoint | undefined {
    const last = this.#lastWords;
    let same = true;
    for (let i = 2; i < ORIGIN_END; i++) same &&= words[at + i] === last[i];
    if (same) return this.#lastOrigin;
    const key = words.subarray(at + 2, at + ORIGIN_END).join(' ');
    let origin = this.#originByWords.get(key);
    if (origin === undefined && !this.#originByWords.has(key)) {
      origin = originOf(words, at, this.family);
      if (this.#originByWords.size >= MAX_CACHED_ENDPOINTS) this.#originByWords.clear();
      this.#originByWords.set(key, origin);
    }
    last.set(words.subarray(at, at + UDP_WORDS));
    this.#lastOrigin = origin;
    return origin;
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

/** Undefined for port 0, and for link-local addresses, whose zone an endpoint cannot tell. */
function originOf(words: Uint32Array, at: number, family: Family): Endpoint | undefined {
  const port = words[at + 2]!;
  let value = BigInt(words[at + 3]!);
  if (family === 6) for (let i = 4; i < ORIGIN_END; i++) value = (value << 32n) | BigInt(words[at + i]!);
  const address: Address = { family, value };
  const linkLocal = family === 6 && value >> 118n === 0x3fan;
  return port === 0 || linkLocal ? undefined : endpoint(address, port);
}

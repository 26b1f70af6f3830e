import { type Address, parseAddress } from '../../base/address.ts';
import { type Endpoint, endpoint } from '../../base/endpoint.ts';
import { type RandomSource, randomBelow, randomUnit } from '../../base/random.ts';
import type { EventQueue } from './event-queue.ts';

/** How the underlay treats every datagram. TCP feels it as delay. */
export interface Weather {
  /** Chances, 0 to 1, of a datagram to be lost, to arrive twice, and to arrive late (behind later ones). */
  loss: number;
  duplicate: number;
  reorder: number;
  /** One-way delay: from `delayMs` up to `delayMs + jitterMs`. */
  delayMs: number;
  jitterMs: number;
}

export const FAIR_WEATHER: Weather = { loss: 0, duplicate: 0, reorder: 0, delayMs: 0.5, jitterMs: 0.5 };

/** A late datagram is this much later, at most. */
const REORDER_MS = 30;

/** Flows that a NAT remembers. */
const MAX_FLOWS = 4096;

/** One machine on the network. */
export interface Host {
  readonly number: number;
  /** Where it says it is. */
  published: Endpoint;
  /** Where the others see its datagrams come from: another endpoint than `published` behind a NAT. */
  mapped: Endpoint;
  /** Behind a NAT that forwards nothing: reachable only by whom it has sent to since it was mapped, over UDP. */
  readonly behindNat: boolean;
  readonly contacted: Set<Endpoint>;
  /** Which of its endpoints somebody has sent to, through the NAT: answers go out from there, as conntrack has it. */
  readonly answersFrom: Map<Endpoint, Endpoint>;
  /** Takes in a datagram. The bytes are its own. */
  datagram: (from: Endpoint, bytes: Uint8Array) => void;
}

/** Sees everything on the wire, as a listener on the underlay would. */
export interface Tap {
  datagram(from: Endpoint, to: Endpoint, bytes: Uint8Array): void;
  stream(connection: number, direction: 0 | 1, bytes: Uint8Array): void;
}

/**
 * The underlay: machines, the weather between them, and who is cut off from whom. Datagrams are here, TCP is in
 * virtual-tcp.ts. All chance comes from one seeded source.
 */
export class VirtualNetwork {
  /** Hosts whose datagrams a firewall drops, both ways. */
  readonly withoutUdp = new Set<Host>();
  readonly queue: EventQueue;
  readonly random: RandomSource;
  readonly tap: Tap;
  readonly hosts: Host[] = [];
  weather: Weather = { ...FAIR_WEATHER };
  /** Told after each change of who is cut off. */
  onChange: () => void = () => {};
  readonly #hostByEndpoint = new Map<Endpoint, Host>();
  /** `from>to`: nothing passes in this direction. */
  readonly #cuts = new Set<string>();
  /** The same for datagrams alone: TCP gets through. */
  readonly #datagramCuts = new Set<string>();
  #lastPort = 40_000;

  constructor(queue: EventQueue, random: RandomSource, tap: Tap) {
    this.queue = queue;
    this.random = random;
    this.tap = tap;
  }

  /** A new machine: host `n` is published at 192.0.2.n:6783 (and on from there). */
  attach(options: { readonly behindNat?: boolean } = {}): Host {
    const number = this.hosts.length + 1;
    const published = endpoint(addressOf(number), 6783);
    const behindNat = options.behindNat ?? false;
    const host: Host = {
      number,
      published,
      mapped: published,
      behindNat,
      contacted: new Set(),
      answersFrom: new Map(),
      datagram: () => {},
    };
    this.hosts.push(host);
    if (behindNat) this.rebind(host);
    else this.#hostByEndpoint.set(published, host);
    return host;
  }

  /** The NAT before `host` gives its datagrams another source; what is sent to the old source is lost. */
  rebind(host: Host): void {
    if (host.mapped !== host.published) this.#hostByEndpoint.delete(host.mapped);
    host.mapped = endpoint(parseAddress(`198.51.100.${host.number % 250}`)!, ++this.#lastPort);
    host.contacted.clear();
    host.answersFrom.clear();
    this.#hostByEndpoint.set(host.mapped, host);
  }

  /** The machine that listens for connections there. */
  listener(at: Endpoint): Host | undefined {
    const host = this.#hostByEndpoint.get(at);
    return host?.published === at ? host : undefined;
  }

  /** Sends a datagram of `from`. */
  transmit(from: Host, to: Endpoint, bytes: Uint8Array): void {
    const source = from.answersFrom.get(to) ?? from.mapped;
    this.tap.datagram(source, to, bytes);
    from.contacted.add(to);
    const target = this.#hostByEndpoint.get(to);
    if (target === undefined || this.isCut(from, target)) return;
    if (this.#datagramCuts.has(`${from.number}>${target.number}`)) return;
    if (this.withoutUdp.has(from) || this.withoutUdp.has(target)) return;
    this.#carry(source, target, to, bytes);
  }

  /** A datagram of somebody who is no machine of ours and may name any source. */
  inject(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    const target = this.#hostByEndpoint.get(to);
    if (target !== undefined) this.#carry(from, target, to, bytes);
  }

  /** Nothing passes from `a` to `b` any more. */
  cut(a: Host, b: Host): void {
    this.#cuts.add(`${a.number}>${b.number}`);
    this.onChange();
  }

  /** No datagram passes from `a` to `b` any more; TCP does. */
  cutDatagrams(a: Host, b: Host): void {
    this.#datagramCuts.add(`${a.number}>${b.number}`);
  }

  /** The machine has another address from now on: 203.0.113.n. What is sent to the earlier one is lost. */
  readdress(host: Host): void {
    this.#hostByEndpoint.delete(host.published);
    host.published = endpoint(parseAddress(`203.0.113.${host.number}`)!, 6783);
    host.mapped = host.published;
    this.#hostByEndpoint.set(host.published, host);
  }

  /** Everybody reaches everybody. */
  heal(): void {
    this.#cuts.clear();
    this.#datagramCuts.clear();
    this.onChange();
  }

  isCut(from: Host, to: Host): boolean {
    return this.#cuts.has(`${from.number}>${to.number}`);
  }

  get cuts(): number {
    return this.#cuts.size;
  }

  /** A one-way delay in the present weather. */
  delay(): number {
    return this.weather.delayMs + this.weather.jitterMs * randomUnit(this.random);
  }

  chance(probability: number): boolean {
    return probability > 0 && randomUnit(this.random) < probability;
  }

  below(bound: number): number {
    return randomBelow(this.random, bound);
  }

  #carry(from: Endpoint, target: Host, to: Endpoint, bytes: Uint8Array): void {
    if (this.chance(this.weather.loss)) return;
    const copies = this.chance(this.weather.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const late = this.chance(this.weather.reorder) ? REORDER_MS * randomUnit(this.random) : 0;
      this.queue.in(this.delay() + late, () => {
        if (target.mapped !== to && (target.published !== to || target.behindNat)) return; // rebound meanwhile
        if (target.behindNat && !target.contacted.has(from)) return;
        if (target.mapped !== target.published && target.answersFrom.size < MAX_FLOWS)
          target.answersFrom.set(from, to);
        target.datagram(from, bytes.slice());
      });
    }
  }
}

function addressOf(number: number): Address {
  return { family: 4, value: parseAddress('192.0.2.0')!.value + BigInt(number) };
}

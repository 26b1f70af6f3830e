/**
 * Nodes of tunnels over real sleeves on a virtual network and virtual time: datagrams between endpoints with loss,
 * delay, doubling, reorder, NAT and whatever a test's `tamper` does to them. Nothing here sleeps or reads a clock.
 */
import { parseAddress } from '../../../../base/address.ts';
import { writeU16BE } from '../../../../base/bytes.ts';
import { Counters } from '../../../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../../../base/endpoint.ts';
import { after, earliest, type Instant, instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { type RandomSource, randomUnit } from '../../../../base/random.ts';
import { parseCidr } from '../../../../base/range.ts';
import type { SuiteLimits } from '../../../../crypto/aead.ts';
import { type ClusterKeys, parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { generateIdentity, type Identity } from '../../../../crypto/identity.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { PORTABLE_SUITES } from '../../../../crypto/suite.ts';
import { DAEMON_COUNTERS } from '../../../../daemon/daemon-counters.ts';
import { KeptSessions } from '../../../../router/datapath/kept-sessions.ts';
import { Sleeve } from '../../../../router/datapath/sleeve/sleeve.ts';
import { checksum } from '../../../../router/packet/checksum.ts';
import { wipeHanded } from '../../../../router/tunnel/handover/handed-tunnels.ts';
import { decodeHandover, encodeHandover } from '../../../../router/tunnel/handover/handover-format.ts';
import type { TunnelEvent } from '../../../../router/tunnel/tunnel-status.ts';
import { Tunnels, type TunnelsConfig } from '../../../../router/tunnel/tunnels.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { datagramsOf } from '../datapath/sleeve/datagrams-of.ts';

await cryptoReady;

export const SECRET = '8f1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff1';

/** A datagram on its way. */
export interface Flight {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

export interface Fault {
  loss: number;
  duplicate: number;
  /** One-way delay in milliseconds: from `delayMs` up to `delayMs + jitterMs`. */
  delayMs: number;
  jitterMs: number;
}

export class Net {
  now: Instant = instant(1000);
  readonly nodes: Node[] = [];
  readonly fault: Fault = { loss: 0, duplicate: 0, delayMs: 0.2, jitterMs: 0 };
  /** What really happens to a datagram: the ones returned travel on. */
  tamper: (flight: Flight) => readonly Flight[] = (flight) => [flight];
  /** Everything that was sent, if `record` is set. */
  readonly log: (Flight & { readonly at: Instant })[] = [];
  record = false;
  readonly random: RandomSource;
  #queue: { readonly at: number; readonly order: number; readonly flight: Flight }[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  send(flight: Flight): void {
    if (this.record) this.log.push({ ...flight, at: this.now });
    for (const onward of this.tamper(flight)) {
      if (randomUnit(this.random) < this.fault.loss) continue;
      this.inject(onward);
      if (randomUnit(this.random) < this.fault.duplicate) this.inject(onward);
    }
  }

  /** Puts a datagram on the wire past `tamper` and loss. */
  inject(flight: Flight): void {
    const { delayMs, jitterMs } = this.fault;
    const at = this.now + delayMs + jitterMs * randomUnit(this.random);
    this.#queue.push({ at, order: this.#order++, flight });
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  /** Lets `ms` of virtual time pass. */
  run(ms: number): void {
    const end = after(this.now, ms);
    for (;;) {
      const arrival = this.#queue[0]?.at as Instant | undefined;
      const timers = this.nodes.map((node) => node.tunnels.nextTimeout());
      const next = earliest(arrival, ...timers);
      if (next === undefined || next > end) break;
      if (next > this.now) this.now = next;
      if (arrival !== undefined && arrival <= this.now) this.#deliver(this.#queue.shift()!.flight);
      for (const node of this.nodes) node.wake();
    }
    this.now = end;
  }

  /** Runs until `condition` holds, at most `ms`; the time it took, or undefined. */
  runUntil(condition: () => boolean, ms: number): number | undefined {
    const start = this.now;
    while (this.now < start + ms) {
      if (condition()) return this.now - start;
      this.run(1);
    }
    return condition() ? this.now - start : undefined;
  }

  #deliver({ from, to, bytes }: Flight): void {
    for (const node of this.nodes) {
      if (node.endpoints.includes(to)) node.sleeve.handleDatagrams(from, bytes.slice(), this.now);
    }
  }
}

export class Node {
  readonly identity: Identity;
  readonly peer: PeerId;
  readonly net: Net;
  readonly number: number;
  /** Where the socket is reachable; the first is the source of what is sent to its own family. */
  endpoints: Endpoint[];
  counters = new Counters(DAEMON_COUNTERS);
  tunnels!: Tunnels;
  sleeve!: Sleeve;
  kept!: KeptSessions;
  epoch = 0;
  readonly events: TunnelEvent[] = [];
  /** Payloads of UDP packets that were delivered to the TUN. */
  readonly delivered: string[] = [];
  readonly #clusterKeys: ClusterKeys;
  readonly #config: Partial<TunnelsConfig>;
  readonly #limits: SuiteLimits | undefined;

  constructor(
    net: Net,
    number: number,
    options: {
      secret?: string;
      config?: Partial<TunnelsConfig>;
      identity?: Identity;
      endpoints?: string[];
      /** Of a session, in place of its suite's. */
      limits?: SuiteLimits;
    } = {},
  ) {
    this.net = net;
    this.number = number;
    this.identity = options.identity ?? generateIdentity(seededRandom(7000 + number));
    this.peer = this.identity.peer;
    this.endpoints = (options.endpoints ?? [`192.0.2.${number}:6783`]).map((text) => parseEndpoint(text)!);
    this.#clusterKeys = parseClusterSecret(options.secret ?? SECRET);
    this.#config = options.config ?? {};
    this.#limits = options.limits;
    this.start(1);
    net.nodes.push(this);
  }

  /** A start of the daemon: all sessions are gone, the boot epoch is `epoch`. */
  start(epoch: number, held = false): void {
    this.epoch = epoch;
    const { counters, net } = this;
    const random = seededRandom(900_000 + 1000 * this.number + epoch + net.now);
    this.sleeve = new Sleeve({
      self: this.peer,
      counters,
      overlayMtu: 1364,
      config: this.#limits === undefined ? {} : { limits: this.#limits },
      sink: {
        transmit: (to, run, segment) => {
          const from = this.endpoints.find((own) => own.startsWith('[') === to.startsWith('['));
          if (from === undefined) return;
          for (const bytes of datagramsOf(run, segment)) net.send({ from, to, bytes });
        },
        deliver: (frame) => {
          this.delivered.push(new TextDecoder().decode(frame.subarray(10 + 28)));
        },
      },
    });
    this.kept = new KeptSessions(this.sleeve);
    this.tunnels = new Tunnels({
      identity: this.identity,
      clusterKeys: this.#clusterKeys,
      bootEpoch: epoch,
      suites: PORTABLE_SUITES,
      takesMarks: true,
      random,
      counters,
      datapath: this.kept,
      config: this.#config,
      held,
    });
    this.sleeve.setEvents(this.tunnels);
  }

  /** What a weftd of this node hands to the next; it is over with this one. */
  handOver(): Uint8Array {
    const handed = { self: this.peer, since: 1, ...this.tunnels.handOver(this.kept), counters: {} };
    const bytes = encodeHandover(handed, this.net.now);
    wipeHanded(handed);
    this.kept.forgetAll();
    return bytes;
  }

  /** A start of the daemon that goes on with `bytes` of the one before. Whether all of it goes on. */
  succeed(epoch: number, bytes: Uint8Array | undefined, ...others: Node[]): boolean {
    this.start(epoch, true);
    this.learn(...others);
    const decoded = bytes && decodeHandover(bytes, this.net.now);
    const all = this.tunnels.resume(decoded?.ok ? decoded.value : undefined, this.net.now);
    if (decoded?.ok) wipeHanded(decoded.value);
    return all;
  }

  /** Tells this node of the others' records, as gossip does, and of the routes. */
  learn(...others: Node[]): void {
    for (const other of others) {
      this.tunnels.setPeer(
        other.peer,
        { noiseKey: other.identity.noise.publicKey, endpoints: other.endpoints, epoch: other.epoch },
        this.net.now,
      );
    }
    this.sleeve.setRoutes(
      this.net.nodes.map((node) => ({ range: parseCidr(`10.32.${node.number}.0/24`)!, owner: node.peer })),
    );
  }

  wake(): void {
    const { now } = this.net;
    this.sleeve.endBatch(now);
    this.tunnels.tick(now);
    for (let event = this.tunnels.poll(); event !== undefined; event = this.tunnels.poll())
      this.events.push(event);
  }

  /** Sends a UDP packet with `text` from our pod to the other's, as if it came out of the TUN. */
  say(to: Node, text: string): void {
    this.sleeve.handleTunPacket(udpFrame(this.number, to.number, text), this.net.now);
    this.wake();
  }

  state(of: Node): string | undefined {
    return this.tunnels.status(of.peer)?.state;
  }

  path(to: Node): string | undefined {
    const path = this.tunnels.status(to.peer)?.path;
    return path?.kind === 'direct' ? path.endpoint : path && `relay ${path.via}`;
  }

  messages(): { from: PeerId; channel: number; text: string }[] {
    return this.events.flatMap((event) =>
      event.type === 'message'
        ? [{ from: event.from, channel: event.channel, text: new TextDecoder().decode(event.bytes) }]
        : [],
    );
  }
}

/** `count` nodes that know each other. */
export function mesh(
  count: number,
  seed: number,
  config: Partial<TunnelsConfig> = {},
): { net: Net; nodes: Node[] } {
  const net = new Net(seed);
  const nodes = Array.from({ length: count }, (_, i) => new Node(net, i + 1, { config }));
  for (const node of nodes) node.learn(...nodes.filter((other) => other !== node));
  return { net, nodes };
}

/** Two nodes with an established tunnel. */
export function pair(seed: number, config: Partial<TunnelsConfig> = {}): { net: Net; a: Node; b: Node } {
  const { net, nodes } = mesh(2, seed, config);
  const [a, b] = nodes as [Node, Node];
  a.tunnels.want(b.peer, net.now);
  net.run(100);
  return { net, a, b };
}

/** A vnet header of no offload, and an IPv4 UDP packet between pods 10.32.<n>.2. */
function udpFrame(from: number, to: number, text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const frame = new Uint8Array(10 + 28 + payload.length);
  const ip = frame.subarray(10);
  ip[0] = 0x45;
  writeU16BE(ip, 2, 28 + payload.length);
  ip[6] = 0x40; // don't fragment
  ip[8] = 64;
  ip[9] = 17;
  ip.set([10, 32, from, 2], 12);
  ip.set([10, 32, to, 2], 16);
  writeU16BE(ip, 10, checksum(ip, 0, 20));
  writeU16BE(ip, 20, 5000);
  writeU16BE(ip, 22, 5001);
  writeU16BE(ip, 24, 8 + payload.length);
  ip.set(payload, 28);
  return frame;
}

/** The address part of an endpoint is one that parses, so that tests fail loudly on typing errors. */
export function at(text: string): Endpoint {
  const found = parseEndpoint(text);
  if (found === undefined || parseAddress('192.0.2.1') === undefined) throw new Error(`no endpoint: ${text}`);
  return found;
}

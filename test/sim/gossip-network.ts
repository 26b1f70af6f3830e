import { Counters } from '../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../base/endpoint.ts';
import { type Instant, instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import { Gossip } from '../../gossip/gossip.ts';
import type { GossipConfig } from '../../gossip/model/gossip-config.ts';
import { GOSSIP_COUNTERS } from '../../gossip/model/gossip-counters.ts';
import type { GossipOutput, LinkId } from '../../gossip/model/gossip-output.ts';
import type { SignedRecord } from '../../gossip/model/record.ts';
import { seededRandom } from '../seeded-random.ts';
import { CLUSTER_ID, FakeCrypto, peer } from '../unit/gossip/fakes.ts';

/** Bytes around a frame (Noise tag and length, TCP, IPv4) and around a datagram (tunnel, UDP, IPv4). */
export const FRAME_OVERHEAD = 58;
export const PACKET_OVERHEAD = 68;
const DIAL_TIMEOUT_MS = 3000;

export interface SimOptions {
  readonly nodes: number;
  readonly seed: number;
  /** Share of datagrams lost, 0 … 1. */
  readonly loss?: number;
  /** One-way delay in ms: at least this, and up to this much more. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly config?: Partial<GossipConfig>;
}

export class SimNode {
  readonly index: number;
  readonly id: PeerId;
  readonly endpoint: Endpoint;
  readonly crypto: FakeCrypto;
  readonly counters = new Counters(GOSSIP_COUNTERS);
  readonly disk = new Map<string, SignedRecord>();
  readonly events: { readonly at: number; readonly out: GossipOutput }[] = [];
  gossip: Gossip | undefined;
  epoch = 0;
  bytesOut = 0;
  bytesIn = 0;
  /** The wake-up that counts; older ones are stale. */
  wake = 0;

  constructor(index: number) {
    this.index = index;
    this.id = peer(index);
    this.endpoint = parseEndpoint(`10.${index >> 8}.${index & 255}.1:6783`)!;
    this.crypto = new FakeCrypto(this.id);
  }
}

interface End {
  readonly node: SimNode;
  readonly gossip: Gossip;
  readonly link: LinkId;
}

interface Pipe {
  readonly a: End;
  readonly b: End;
  open: boolean;
  /** A frame was lost in a partition: no stream can go on after that. */
  broken: boolean;
  arrival: [number, number];
}

/** Gossip cores on virtual time and a virtual network. A seed replays exactly. */
export class GossipNetwork {
  readonly nodes: SimNode[];
  readonly random: RandomSource;
  readonly #options: Required<Omit<SimOptions, 'config'>> & { readonly config: Partial<GossipConfig> };
  readonly #queue = new EventQueue();
  readonly #pipeByLink = new Map<string, Pipe>();
  readonly #nodeByEndpoint = new Map<Endpoint, SimNode>();
  readonly #nodeById = new Map<PeerId, SimNode>();
  #groupOf: (node: SimNode) => number = () => 0;
  #nextLink = 1;
  now = 0;
  /** Every dial that a core asked for. */
  readonly dials: { readonly at: number; readonly from: SimNode; readonly endpoint: Endpoint }[] = [];
  /** Called for every record that leaves a core, to check invariants as they happen. */
  onRecord: (node: SimNode, record: SignedRecord) => void = () => {};

  constructor(options: SimOptions) {
    this.#options = { loss: 0, delayMs: 5, jitterMs: 20, config: {}, ...options };
    this.random = seededRandom(options.seed);
    this.nodes = Array.from({ length: options.nodes }, (_, i) => new SimNode(i));
    for (const node of this.nodes) {
      this.#nodeByEndpoint.set(node.endpoint, node);
      this.#nodeById.set(node.id, node);
    }
  }

  start(node: SimNode, seeds: readonly Endpoint[] = []): void {
    node.epoch++;
    const gossip = new Gossip({
      self: node.id,
      clusterId: CLUSTER_ID,
      epoch: node.epoch,
      crypto: node.crypto,
      random: seededRandom(randomUnit(this.random) * 2 ** 48),
      counters: node.counters,
      config: this.#options.config,
    });
    node.gossip = gossip;
    const now = this.#instant();
    gossip.restore([...node.disk.values()], now);
    gossip.setInfo(this.infoOf(node), now);
    gossip.setSeeds(seeds, now);
    this.#drain(node);
  }

  infoOf(node: SimNode, version = '1') {
    return {
      name: `node-${node.index}`,
      endpoints: [node.endpoint],
      noiseKey: new Uint8Array(32).fill(node.index),
      version,
      addresses: [],
      suites: 1,
      mtu: 1500,
      free: {},
    };
  }

  /** The process dies. Its kernel resets the connections, where packets still get through. */
  kill(node: SimNode): void {
    node.gossip = undefined;
    for (const pipe of new Set(this.#pipeByLink.values())) {
      if (pipe.open && (pipe.a.node === node || pipe.b.node === node)) this.#reset(pipe);
    }
  }

  /** Only nodes of one group hear each other. Streams across lose what is sent, and break when healed. */
  partition(groupOf: (node: SimNode) => number): void {
    this.#groupOf = groupOf;
  }

  heal(): void {
    this.#groupOf = () => 0;
    for (const pipe of new Set(this.#pipeByLink.values())) if (pipe.open && pipe.broken) this.#reset(pipe);
  }

  /** Resets a share of all connections. */
  dropLinks(share: number): void {
    for (const pipe of new Set(this.#pipeByLink.values())) {
      if (pipe.open && randomUnit(this.random) < share) this.#reset(pipe);
    }
  }

  /** Calls into a node's core, then does what it asks. */
  act(node: SimNode, what: (gossip: Gossip, now: Instant) => void): void {
    if (!node.gossip) return;
    what(node.gossip, this.#instant());
    this.#drain(node);
  }

  /** Runs for `ms` of virtual time. */
  run(ms: number): void {
    const until = this.now + ms;
    for (let next = this.#queue.take(until); next; next = this.#queue.take(until)) {
      this.now = next.at;
      next.run();
    }
    this.now = until;
  }

  /** Runs until `done`, looking every 50 ms. Returns the ms it took, or undefined after `limitMs`. */
  runUntil(limitMs: number, done: () => boolean): number | undefined {
    const from = this.now;
    for (;;) {
      if (done()) return this.now - from;
      if (this.now - from >= limitMs) return undefined;
      this.run(50);
    }
  }

  up(): SimNode[] {
    return this.nodes.filter((node) => node.gossip);
  }

  /** Whether every node of `group` sees every other one of it alive, at its newest record, and nobody else so. */
  agreed(group: readonly SimNode[] = this.up()): boolean {
    const ids = new Set(group.map((node) => node.id));
    return group.every((node) => {
      let alive = 0;
      for (const member of node.gossip!.members()) {
        if (member.state === 'suspect') return false;
        if ((member.state === 'alive') !== ids.has(member.peer)) return false;
        if (member.state !== 'alive') continue;
        alive++;
        const own = this.#nodeById.get(member.peer)!.gossip!.record(member.peer, 'node')!;
        if (own.epoch !== member.version.epoch || own.sequence !== member.version.sequence) return false;
      }
      return alive === group.length - 1;
    });
  }

  resetBytes(): void {
    for (const node of this.nodes) {
      node.bytesIn = 0;
      node.bytesOut = 0;
    }
  }

  #instant(): Instant {
    return instant(this.now);
  }

  #drain(node: SimNode): void {
    const gossip = node.gossip;
    if (!gossip) return;
    for (let out = gossip.poll(); out; out = gossip.poll()) this.#do(node, gossip, out);
    const at = gossip.nextTimeout();
    const wake = ++node.wake;
    if (at === undefined) return;
    this.#queue.add(Math.max(at, this.now), () => {
      if (node.wake === wake && node.gossip === gossip) this.act(node, (core, now) => core.tick(now));
    });
  }

  #do(node: SimNode, gossip: Gossip, out: GossipOutput): void {
    switch (out.type) {
      case 'frame':
        this.#frame(node, out.link, out.bytes);
        return;
      case 'packet':
        this.#packet(node, out.to, out.bytes);
        return;
      case 'dial':
        this.dials.push({ at: this.now, from: node, endpoint: out.endpoint });
        this.#dial(node, gossip, out.endpoint);
        return;
      case 'closeLink': {
        const pipe = this.#pipeByLink.get(`${node.index}/${out.link}`);
        if (pipe?.open) this.#reset(pipe, node);
        break;
      }
      case 'record':
      case 'ownRecordAhead':
        this.onRecord(node, out.record);
        node.disk.set(`${out.record.origin}/${out.record.slot}`, out.record);
        break;
      case 'recordGone':
        node.disk.delete(`${out.origin}/${out.slot}`);
    }
    if (out.type !== 'record') node.events.push({ at: this.now, out });
  }

  #frame(from: SimNode, link: LinkId, bytes: Uint8Array): void {
    const pipe = this.#pipeByLink.get(`${from.index}/${link}`);
    from.bytesOut += bytes.length + FRAME_OVERHEAD;
    if (!pipe?.open) return;
    const side = pipe.a.node === from && pipe.a.link === link ? 1 : 0;
    const to = side === 1 ? pipe.b : pipe.a;
    const at = Math.max(pipe.arrival[side], this.now + this.#delay());
    pipe.arrival[side] = at;
    this.#queue.add(at, () => {
      if (!this.#connected(from, to.node)) pipe.broken = true;
      if (pipe.broken || to.node.gossip !== to.gossip) return;
      to.node.bytesIn += bytes.length + FRAME_OVERHEAD;
      this.act(to.node, (gossip, now) => void gossip.handleFrame(to.link, bytes, now));
    });
  }

  #packet(from: SimNode, id: PeerId, bytes: Uint8Array): void {
    const to = this.#nodeById.get(id);
    from.bytesOut += bytes.length + PACKET_OVERHEAD;
    if (!to || randomUnit(this.random) < this.#options.loss) return;
    this.#queue.add(this.now + this.#delay(), () => {
      if (!this.#connected(from, to) || !to.gossip) return;
      to.bytesIn += bytes.length + PACKET_OVERHEAD;
      this.act(to, (gossip, now) => void gossip.handlePacket(from.id, bytes, now));
    });
  }

  #dial(from: SimNode, gossip: Gossip, endpoint: Endpoint): void {
    const to = this.#nodeByEndpoint.get(endpoint);
    const failed = (): void => {
      if (from.gossip === gossip) this.act(from, (core, now) => core.dialFailed(endpoint, now));
    };
    if (!to || !this.#connected(from, to)) {
      this.#queue.add(this.now + DIAL_TIMEOUT_MS, failed);
      return;
    }
    this.#queue.add(this.now + 4 * this.#delay(), () => {
      if (!to.gossip || !this.#connected(from, to)) return failed();
      if (from.gossip !== gossip) return;
      const pipe: Pipe = {
        a: { node: from, gossip, link: this.#nextLink++ },
        b: { node: to, gossip: to.gossip, link: this.#nextLink++ },
        open: true,
        broken: false,
        arrival: [0, 0],
      };
      this.#pipeByLink.set(`${from.index}/${pipe.a.link}`, pipe);
      this.#pipeByLink.set(`${to.index}/${pipe.b.link}`, pipe);
      const ephemeral = parseEndpoint(`10.${from.index >> 8}.${from.index & 255}.1:40000`)!;
      this.act(to, (core, now) => core.linkOpened(pipe.b.link, from.id, false, ephemeral, now));
      this.act(from, (core, now) => core.linkOpened(pipe.a.link, to.id, true, endpoint, now));
    });
  }

  /** Both ends learn of the end of the connection, except `silentFor` who ended it. */
  #reset(pipe: Pipe, silentFor?: SimNode): void {
    pipe.open = false;
    for (const end of [pipe.a, pipe.b]) {
      this.#pipeByLink.delete(`${end.node.index}/${end.link}`);
      if (end.node === silentFor) continue;
      // Behind the frames that are on their way, as a stream has it.
      const at = Math.max(this.now + this.#delay(), ...pipe.arrival);
      this.#queue.add(at, () => {
        if (end.node.gossip === end.gossip)
          this.act(end.node, (gossip, now) => gossip.linkClosed(end.link, now));
      });
    }
  }

  #connected(a: SimNode, b: SimNode): boolean {
    return this.#groupOf(a) === this.#groupOf(b);
  }

  #delay(): number {
    return this.#options.delayMs + randomUnit(this.random) * this.#options.jitterMs;
  }
}

interface QueuedEvent {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap; events of one instant in the order they were added. */
class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #order = 0;

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at, order: this.#order++, run };
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  take(until: number): QueuedEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > until) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[i] = heap[child]!;
        i = child;
      }
      heap[i] = last;
    }
    return first;
  }
}

function before(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order;
}

import type { Address } from '../../base/address.ts';
import { hex } from '../../base/bytes.ts';
import { Counters } from '../../base/counters.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { type Instant, instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import { generateIdentity, type Identity } from '../../crypto/identity.ts';
import { PORTABLE_SUITES } from '../../crypto/suite.ts';
import { DAEMON_COUNTERS } from '../../daemon/daemon-counters.ts';
import { KeptRecords } from '../../daemon/state/kept-records.ts';
import type { GossipConfig } from '../../gossip/model/gossip-config.ts';
import type { LinkId } from '../../gossip/model/gossip-output.ts';
import type { GivenIpamConfig } from '../../ipam/model/ipam-config.ts';
import { type AllocationKey, NODE_KEY, type RequestId } from '../../ipam/model/types.ts';
import type { NodeOutput } from '../../node/node-types.ts';
import { WeftNode } from '../../node/weft-node.ts';
import type { Datapath } from '../../router/datapath/datapath.ts';
import { Sleeve } from '../../router/datapath/sleeve/sleeve.ts';
import { seededRandom } from '../seeded-random.ts';
import { datagramsOf } from '../unit/router/datapath/sleeve/datagrams-of.ts';
import type { EventQueue } from './event-queue.ts';
import type { Host, VirtualNetwork } from './virtual-network.ts';
import { VirtualStore } from './virtual-store.ts';
import type { End, EndEvents, VirtualTcp } from './virtual-tcp.ts';

/** The network's MTU, and what it leaves to pods (router/packet/data-packet.ts). */
const UNDERLAY_MTU = 1500;
const OVERLAY_MTU = 1364;
/** From an input to the turn of the event loop that sees to it. */
const LOOP_LATENCY_MS = 0.1;
/** Datagrams that the socket of a stopped process holds; more are lost. */
const SOCKET_QUEUE = 4096;

/** What nodes share. */
export interface Surroundings {
  readonly queue: EventQueue;
  readonly network: VirtualNetwork;
  readonly tcp: VirtualTcp;
  readonly clusterKeys: ClusterKeys;
  readonly random: RandomSource;
  readonly watch: NodeWatch;
}

/** What a node's surroundings are told of it. */
export interface NodeWatch {
  output(node: VirtualNode, out: NodeOutput): void;
  /** What is durably allocated has changed. */
  allocationsChanged(node: VirtualNode): void;
  /** Its process has just read its disk. */
  restarted(node: VirtualNode): void;
  /** A frame (vnet header, IP packet) came out of the tunnels. */
  delivered(node: VirtualNode, frame: Uint8Array): void;
}

export interface VirtualNodeOptions {
  readonly name: string;
  readonly ipam: GivenIpamConfig;
  readonly gossip?: Partial<GossipConfig>;
  /** Virtual milliseconds of its clock in one of the world's; default 1. */
  readonly clockRate?: number;
  readonly behindNat?: boolean;
  /** What it says of where it is; default: its one address. */
  readonly endpoints?: (published: Endpoint) => readonly Endpoint[];
  readonly underlayMtu?: number;
  /** What a member who does not keep to the rules has its datapath do. */
  readonly tamper?: (datapath: Datapath) => Datapath;
}

/**
 * One machine that runs Weft: the very `WeftNode` and `Sleeve` of the daemon, with a disk, a clock, a socket and a
 * process that can be stopped, killed and started. It does what daemon/daemon.io.ts and node-loop.io.ts do.
 */
export class VirtualNode {
  readonly name: string;
  readonly host: Host;
  readonly options: VirtualNodeOptions;
  counters = new Counters(DAEMON_COUNTERS);
  identity: Identity;
  store: VirtualStore;
  epoch = 0;
  /** Addresses that were answered, by container: what CNI has set up in this boot. */
  readonly podByContainer = new Map<string, readonly Address[]>();
  seeds: readonly Endpoint[] = [];
  /** Turns of the event loop, and those of them that a timer caused. */
  turns = 0;
  timerTurns = 0;

  readonly #around: Surroundings;
  readonly #random: RandomSource;
  readonly #clockOffset: number;
  readonly #clockRate: number;
  #bootId = '';
  #core: WeftNode | undefined;
  #sleeve: Sleeve | undefined;
  #records: KeptRecords | undefined;
  readonly #endByLink = new Map<LinkId, End>();
  readonly #containerByRequest = new Map<RequestId, string>();
  #paused: (() => void)[] | undefined;
  #pausedDatagrams = 0;
  #turnPending = false;
  #timerAt: number | undefined;
  /** Rises with each start and end of the process: what was meant for another one is dropped. */
  #life = 0;

  constructor(around: Surroundings, options: VirtualNodeOptions) {
    this.#around = around;
    this.options = options;
    this.name = options.name;
    this.#random = seededRandom(Number.parseInt(hex(around.random.bytes(6)), 16));
    this.#clockRate = options.clockRate ?? 1;
    this.#clockOffset = around.network.below(1_000_000);
    this.host = around.network.attach(
      options.behindNat === undefined ? {} : { behindNat: options.behindNat },
    );
    this.host.datagram = (from, bytes) => {
      if (this.#paused !== undefined && ++this.#pausedDatagrams > SOCKET_QUEUE) return;
      this.#input((_core, now) => this.#sleeve!.handleDatagrams(from, bytes.slice(), now));
    };
    this.identity = generateIdentity(this.#random);
    this.store = this.#newDisk();
    this.#newBoot();
  }

  get peer(): PeerId {
    return this.identity.peer;
  }

  /** The running node; undefined while the process is down. */
  get core(): WeftNode | undefined {
    return this.#core;
  }

  get running(): boolean {
    return this.#core !== undefined;
  }

  get paused(): boolean {
    return this.#paused !== undefined;
  }

  /** Its own monotonic clock. */
  get now(): Instant {
    return instant(this.#clockOffset + this.#around.queue.now * this.#clockRate);
  }

  // ── the process ──

  start(): void {
    if (this.#core !== undefined) return;
    const life = ++this.#life;
    this.epoch++; // the daemon syncs it to the disk before all else
    const { clusterKeys, network, tcp, watch } = this.#around;
    this.counters = new Counters(DAEMON_COUNTERS);
    const sleeve = new Sleeve({
      self: this.peer,
      counters: this.counters,
      overlayMtu: OVERLAY_MTU,
      sink: {
        transmit: (to, run, segment) => {
          if (this.#life !== life) return;
          for (const bytes of datagramsOf(run, segment)) network.transmit(this.host, to, bytes);
        },
        deliver: (frame) => watch.delivered(this, frame),
      },
    });
    this.#sleeve = sleeve;
    this.#records = new KeptRecords(this.store);
    const core = new WeftNode({
      self: {
        identity: this.identity,
        clusterKeys,
        name: this.name,
        version: '0.0.0-sim',
        bootEpoch: this.epoch,
        bootId: this.#bootId,
      },
      underlay: {
        endpoints: this.options.endpoints?.(this.host.published) ?? [this.host.published],
        mtu: this.options.underlayMtu ?? UNDERLAY_MTU,
      },
      overlay: {
        mtu: OVERLAY_MTU,
        datapath: this.options.tamper?.(sleeve) ?? sleeve,
        suites: PORTABLE_SUITES,
        takesMarks: true,
      },
      store: this.store,
      ipam: this.options.ipam,
      ...(this.options.gossip === undefined ? {} : { gossip: this.options.gossip }),
      random: this.#random,
      counters: this.counters,
    });
    this.#core = core;
    sleeve.setEvents(core.datapathEvents);
    watch.restarted(this);
    tcp.listen(this.host, (end, remote) => this.#accept(end, remote));
    this.#guard(() => {
      core.start(this.#records!.all(), this.now);
      core.setSeeds(this.seeds, this.now);
      // What the CNI plugin finds at its start: allocations of pods that are no more.
      for (const { key } of core.ipam.allocations()) {
        if (key.containerId !== NODE_KEY.containerId && !this.podByContainer.has(key.containerId))
          core.ipam.release(key, this.now);
      }
    });
    this.#wake();
  }

  /** The process ends without a word (SIGKILL, power loss): what was not flushed is gone. */
  kill({ power = false }: { readonly power?: boolean } = {}): void {
    if (this.#core === undefined) return;
    this.#life++;
    this.#core = undefined;
    this.#sleeve = undefined;
    this.#paused = undefined;
    this.#pausedDatagrams = 0;
    this.#turnPending = false;
    this.#timerAt = undefined;
    this.#containerByRequest.clear();
    this.store.crash();
    this.#around.tcp.listen(this.host, undefined);
    // The kernel closes the sockets of a dead process; without power nobody does.
    for (const end of this.#endByLink.values()) {
      if (power) end.vanish();
      else end.close();
    }
    this.#endByLink.clear();
  }

  /** Another boot of the machine: its pods are gone. Only while the process is down. */
  reboot(): void {
    this.#newBoot();
    this.podByContainer.clear();
  }

  /** A new disk, so a new identity under the old name. Only while the process is down. */
  loseDisk(): void {
    this.store = this.#newDisk();
    this.identity = generateIdentity(this.#random);
    this.epoch = 0;
    this.reboot();
  }

  /** SIGSTOP: what comes in waits. */
  pause(): void {
    if (this.#core !== undefined) this.#paused ??= [];
  }

  /** SIGCONT. */
  resume(): void {
    const waiting = this.#paused;
    if (waiting === undefined) return;
    this.#paused = undefined;
    this.#pausedDatagrams = 0;
    for (const act of waiting) act();
    this.#timerAt = undefined;
    this.#arm();
  }

  // ── what a host asks of its node ──

  setSeeds(seeds: readonly Endpoint[]): void {
    this.seeds = seeds;
    this.#input((core, now) => core.setSeeds(seeds, now));
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#input((core, now) => core.setEndpoints(endpoints, now));
  }

  /** CNI ADD. */
  addPod(containerId: string): void {
    this.#input((core, now) => {
      this.#containerByRequest.set(core.allocate(podKey(containerId), now), containerId);
    });
  }

  /** CNI DEL. */
  removePod(containerId: string): void {
    this.podByContainer.delete(containerId);
    this.#input((core, now) => void core.ipam.release(podKey(containerId), now));
  }

  /** `weft rmpeer`. */
  removePeer(peer: PeerId): void {
    this.#input((core, now) => void core.ipam.removePeer(peer, now));
  }

  /** A packet out of the TUN: vnet header, IP packet. */
  sendPacket(frame: Uint8Array): void {
    this.#input((_core, now) => this.#sleeve!.handleTunPacket(frame, now));
  }

  /** Anything else. */
  do(act: (core: WeftNode, now: Instant) => void): void {
    this.#input(act);
  }

  // ── the loop ──

  #input(act: (core: WeftNode, now: Instant) => void): void {
    if (this.#core === undefined) return;
    if (this.#paused !== undefined) {
      const life = this.#life;
      this.#paused.push(() => {
        if (this.#life === life) this.#input(act);
      });
      return;
    }
    const core = this.#core;
    this.#guard(() => act(core, this.now));
    this.#wake();
  }

  #wake(): void {
    if (this.#turnPending || this.#core === undefined) return;
    this.#turnPending = true;
    const life = this.#life;
    this.#around.queue.in(LOOP_LATENCY_MS, () => {
      if (this.#life === life) this.#turn();
    });
  }

  #turn(): void {
    this.#turnPending = false;
    if (this.#paused !== undefined) {
      const life = this.#life;
      this.#paused.push(() => {
        if (this.#life === life) this.#wake();
      });
      return;
    }
    this.turns++;
    const life = this.#life;
    const core = this.#core!;
    this.#guard(() => {
      this.#sleeve!.endBatch(this.now);
      core.settle(this.now);
      for (let out = core.poll(); out !== undefined; out = core.poll()) {
        this.#carryOut(out);
        if (this.#life !== life) return;
      }
      this.#arm();
    });
  }

  #carryOut(out: NodeOutput): void {
    this.#around.watch.output(this, out);
    switch (out.type) {
      case 'dial':
        this.#endByLink.set(
          out.link,
          this.#around.tcp.dial(this.host, out.endpoint, this.#linkEvents(out.link)),
        );
        return;
      case 'write':
        this.#endByLink.get(out.link)?.write(out.bytes);
        return;
      case 'close':
      case 'cut':
        this.#endByLink.get(out.link)?.close();
        this.#endByLink.delete(out.link);
        return;
      case 'keepRecord':
        this.#records!.put(out.record);
        return;
      case 'dropRecord':
        this.#records!.remove(out);
        return;
      case 'allocated': {
        const container = this.#containerByRequest.get(out.request);
        if (container !== undefined) this.podByContainer.set(container, out.allocation.addresses);
        this.#containerByRequest.delete(out.request);
        return;
      }
      case 'allocateFailed':
        this.#containerByRequest.delete(out.request);
        return;
      case 'rolledBack':
        // The daemon ends and is started again, until its epoch is past that of its former self.
        this.kill();
        this.#around.queue.in(100, () => this.start());
    }
  }

  #accept(end: End, remote: Endpoint): EndEvents | undefined {
    // The kernel accepts for a stopped process; a refusal then looks like a connection that says nothing.
    let link: LinkId | undefined;
    let refused = false;
    const waiting: ((events: EndEvents) => void)[] = [];
    this.#input((core, now) => {
      link = core.linkAccepted(remote, now, this.host.published);
      if (link === undefined) {
        refused = true;
        end.close();
        return;
      }
      this.#endByLink.set(link, end);
      const events = this.#linkEvents(link);
      for (const tell of waiting.splice(0)) tell(events);
    });
    if (refused) return undefined;
    if (link !== undefined) return this.#linkEvents(link);
    const later = (tell: (events: EndEvents) => void): void => {
      if (link === undefined) waiting.push(tell);
      else tell(this.#linkEvents(link));
    };
    return {
      connected: () => {},
      received: (bytes) => later((events) => events.received(bytes)),
      closed: () => later((events) => events.closed()),
    };
  }

  #linkEvents(link: LinkId): EndEvents {
    const life = this.#life;
    const mine = (): boolean => this.#life === life && this.#endByLink.has(link);
    return {
      connected: () => {
        if (mine()) this.#input((core) => core.linkConnected(link, this.host.published));
      },
      received: (bytes) => {
        if (mine()) this.#input((core, now) => core.linkReceived(link, bytes, now));
      },
      closed: () => {
        if (!mine()) return;
        this.#input((core, now) => core.linkLost(link, now));
        this.#endByLink.delete(link);
      },
    };
  }

  /** One timer, of whole milliseconds, as Node's. */
  #arm(): void {
    const at = this.#core?.nextTimeout();
    if (at === undefined) return;
    const waitMs = Math.max(1, Math.ceil((at - this.now) / this.#clockRate));
    const dueAt = this.#around.queue.now + waitMs;
    if (this.#timerAt !== undefined && this.#timerAt <= dueAt && this.#timerAt > this.#around.queue.now)
      return;
    this.#timerAt = dueAt;
    const life = this.#life;
    this.#around.queue.at(dueAt, () => {
      if (this.#life !== life || this.#timerAt !== dueAt || this.#paused !== undefined) return;
      this.#timerAt = undefined;
      this.timerTurns++;
      this.#input((core, now) => core.tick(now));
    });
  }

  /** Runs `act`; a disk that is full at the start ends the process, as it does the daemon. Bugs pass through. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      if ((error as { code?: string }).code !== 'E_DISK_FULL') throw error;
      this.kill();
    }
  }

  #newDisk(): VirtualStore {
    const store = new VirtualStore();
    store.onAllocations = () => this.#around.watch.allocationsChanged(this);
    return store;
  }

  #newBoot(): void {
    this.#bootId = hex(this.#random.bytes(16));
  }
}

/** The key of a container's only interface. */
export function podKey(containerId: string): AllocationKey {
  return { containerId, ifname: 'eth0' };
}

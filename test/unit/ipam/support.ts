import assert from 'node:assert/strict';
import { Counters } from '../../../base/counters.ts';
import { type Instant, instant } from '../../../base/instant.ts';
import { type PeerId, parsePeerId } from '../../../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit } from '../../../base/random.ts';
import { parseCidr, type Range } from '../../../base/range.ts';
import { Ipam } from '../../../ipam/ipam.ts';
import type { RemovalState } from '../../../ipam/model/authority.ts';
import { type Genesis, shareEvenly } from '../../../ipam/model/genesis.ts';
import type { RingInit } from '../../../ipam/model/ipam-config.ts';
import { IPAM_COUNTERS, type IpamCounter } from '../../../ipam/model/ipam-counters.ts';
import type { Allocation, AllocationKey, IpamOutput } from '../../../ipam/model/types.ts';
import { appendToLog, emptyLog, type NewEntry, type RingLog } from '../../../ipam/ring/ring-log.ts';
import { seededRandom } from '../../seeded-random.ts';
import { MemoryStore } from './memory-store.ts';

/** A peer id that begins with `n`, so that ids sort as their numbers do. */
export function peerId(n: number): PeerId {
  return parsePeerId(n.toString(16).padStart(4, '0').padEnd(64, 'a'))!;
}

export function cidr(text: string): Range {
  return parseCidr(text)!;
}

export const V4 = cidr('10.32.0.0/16');
export const V6 = cidr('fd00:77::/64');

export function genesisOf(owners: readonly PeerId[], ranges: readonly Range[] = [V4], id = '11'): Genesis {
  return shareEvenly(id.padEnd(32, '0'), ranges, owners);
}

/** A log with these entries. */
export function logOf(...entries: NewEntry[]): RingLog {
  return appendToLog(emptyLog(), entries)!;
}

export interface WorldOptions {
  readonly seed: number;
  readonly ranges?: readonly Range[];
  readonly init: (node: number) => RingInit;
  readonly loss?: number;
  readonly safeWaitMs?: number;
  readonly allocateTimeoutMs?: number;
  readonly seedWaitMs?: number;
}

/** One host of the miniature world: a disk, and at times a running Ipam. */
export interface Host {
  readonly index: number;
  readonly store: MemoryStore;
  peer: PeerId;
  ipam: Ipam | undefined;
  counters: Counters<IpamCounter>;
  boot: number;
  /** Answers to allocate and removePeer by request, of this run. */
  answers: Map<number, IpamOutput>;
  events: IpamOutput[];
  /** Addresses in use by containers that run, by key: what must never collide. */
  readonly live: Map<string, Allocation>;
  /** What its watch of the authority last brought, in this run. */
  shownRemovals: ReadonlyMap<PeerId, RemovalState>;
  /** Peers as this host's gossip last reported them. */
  seenAlive: Set<PeerId>;
}

/** A record as gossip spreads it: of one origin and slot the highest sequence wins. */
interface Posting {
  readonly origin: PeerId;
  readonly slot: 'ring' | 'paxos';
  readonly payload: Uint8Array;
  readonly sequence: number;
}

interface Delivery {
  readonly at: number;
  readonly order: number;
  readonly to: PeerId;
  readonly run: (host: Host) => void;
}

/**
 * Some Ipams on virtual time, with a gossip and a network that lose, delay and reorder as a seed says. Gossip here is
 * one board of newest records per (origin, slot); each host learns each posting later, or after a while again.
 */
export class World {
  readonly random: RandomSource;
  readonly hosts: Host[] = [];
  readonly options: WorldOptions;
  /** Pairs of host indices that cannot talk, `a|b` with a < b. */
  readonly cut = new Set<string>();
  /** What may be sure to be in nobody's use: peers whose containers were declared gone. */
  readonly buried = new Set<PeerId>();
  /** The genesis that is created only once, and whether nobody gets it at present. */
  authority: Uint8Array | undefined;
  authoritySilent = false;
  /** Removals as the authority has them: each subject's is changed by one who has seen the last change. */
  readonly removals = new Map<PeerId, RemovalState>();
  /** Answers of allocate that brought addresses. */
  allocations = 0;
  now: Instant = instant(1000);
  readonly #board = new Map<string, Posting>();
  #sequence = 0;
  #queue: Delivery[] = [];
  #order = 0;
  #syncAt = 0;
  #nextPeer = 1;
  #latestByHost = new Map<string, Posting>();

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
  }

  addHost(): Host {
    const index = this.hosts.length;
    const host: Host = {
      index,
      store: new MemoryStore(),
      peer: peerId(this.#nextPeer++),
      ipam: undefined,
      counters: new Counters(IPAM_COUNTERS),
      boot: 1,
      answers: new Map(),
      events: [],
      live: new Map(),
      shownRemovals: new Map(),
      seenAlive: new Set(),
    };
    this.hosts.push(host);
    this.startHost(host);
    return host;
  }

  startHost(host: Host): void {
    const {
      ranges = [V4],
      init,
      safeWaitMs = 2000,
      allocateTimeoutMs = 10_000,
      seedWaitMs = 500,
    } = this.options;
    host.answers = new Map();
    host.seenAlive = new Set();
    host.shownRemovals = new Map();
    host.counters = new Counters(IPAM_COUNTERS);
    host.ipam = new Ipam({
      self: host.peer,
      name: `node-${host.index}`,
      bootId: `boot-${host.boot}`,
      random: seededRandom(randomBelow(this.random, 2 ** 32)),
      counters: host.counters,
      store: host.store,
      config: { ranges, init: init(host.index), seedWaitMs, safeWaitMs, allocateTimeoutMs },
    });
    host.ipam.start(this.now);
    if (init(host.index).mode === 'authority' && !this.authoritySilent) this.showRemovals(host);
    // Gossip restores what this host knew.
    for (const { origin, slot } of this.#board.values()) {
      const known = this.#latestByHost.get(`${host.index} ${origin} ${slot}`);
      if (known && origin !== host.peer) host.ipam.handleRecord(known, this.now);
    }
    this.settle(host);
  }

  /** The process ends now; what it had not flushed is lost. Containers live on. */
  crash(host: Host): void {
    host.ipam = undefined;
    host.store.crash();
  }

  /** The host comes back with nothing on its disk, under another identity; its containers died with it. */
  loseDisk(host: Host): void {
    this.crash(host);
    host.store.wipe();
    this.buried.add(host.peer);
    host.live.clear();
    for (const key of [...this.#latestByHost.keys()])
      if (key.startsWith(`${host.index} `)) this.#latestByHost.delete(key);
    host.peer = peerId(this.#nextPeer++);
    this.startHost(host);
  }

  allocate(host: Host, containerId: string): number {
    const key: AllocationKey = { containerId, ifname: 'eth0' };
    const request = host.ipam!.allocate(key, this.now);
    this.settle(host);
    return request;
  }

  release(host: Host, containerId: string): void {
    host.live.delete(`${containerId}/eth0`);
    host.ipam!.release({ containerId, ifname: 'eth0' }, this.now);
    this.settle(host);
  }

  remove(host: Host, peer: PeerId): number {
    const request = host.ipam!.removePeer(peer, this.now);
    this.settle(host);
    return request;
  }

  /** Runs the world for `ms`, calling `check` after every step. */
  run(ms: number, check: () => void = () => this.check()): void {
    const end = this.now + ms;
    while (this.now < end) {
      const next = Math.min(end, this.now + 20, this.#queue[0]?.at ?? end);
      this.now = instant(Math.max(next, this.now + 1));
      this.#step();
      check();
    }
  }

  runUntil(condition: () => boolean, limitMs: number, check: () => void = () => this.check()): void {
    const end = this.now + limitMs;
    while (!condition()) {
      if (this.now >= end) assert.fail(`not reached within ${limitMs} ms`);
      this.run(20, check);
    }
  }

  reaches(a: Host, b: Host): boolean {
    return !this.cut.has(`${Math.min(a.index, b.index)}|${Math.max(a.index, b.index)}`);
  }

  hostOf(peer: PeerId): Host | undefined {
    return this.hosts.find((host) => host.peer === peer);
  }

  /** Newest ring payloads that anybody has published. */
  board(slot: 'ring' | 'paxos'): { origin: PeerId; payload: Uint8Array }[] {
    return [...this.#board.values()].filter((record) => record.slot === slot);
  }

  /** No address is in use by two containers, and no two allocators may hand out the same address. */
  check(): void {
    const userByAddress = new Map<string, string>();
    for (const host of this.hosts) {
      for (const [key, { addresses }] of host.live) {
        for (const { family, value } of addresses) {
          const address = `${family} ${value}`;
          const other = userByAddress.get(address);
          assert.equal(other, undefined, `${address} is used by ${other} and host ${host.index} ${key}`);
          userByAddress.set(address, `host ${host.index} ${key}`);
        }
      }
    }
    // A removed peer that has not heard of it yet still believes; it must learn before it hands anything out.
    const removed = new Set(
      this.hosts.flatMap((host) => host.ipam?.status().removed.map(({ peer }) => peer) ?? []),
    );
    const held: { range: Range; index: number }[] = [];
    for (const host of this.hosts) {
      const status = host.ipam?.status();
      if (status?.state === 'ready' && !removed.has(host.peer))
        for (const range of status.ranges) held.push({ range, index: host.index });
    }
    held.sort((a, b) => a.range.family - b.range.family || (a.range.start < b.range.start ? -1 : 1));
    for (let i = 1; i < held.length; i++) {
      const [a, b] = [held[i - 1]!, held[i]!];
      if (a.range.family !== b.range.family) continue;
      assert.ok(a.range.end <= b.range.start, `hosts ${a.index} and ${b.index} both hold ${b.range.start}`);
    }
  }

  settle(host: Host): void {
    host.store.flush();
    for (let out = host.ipam?.poll(); out !== undefined; out = host.ipam?.poll()) this.#take(host, out);
  }

  #step(): void {
    while (this.#queue[0] && this.#queue[0].at <= this.now) {
      const { to, run } = this.#queue.shift()!;
      const host = this.hostOf(to);
      if (host?.ipam === undefined) continue;
      run(host);
      this.settle(host);
    }
    for (const host of this.hosts) {
      if (host.ipam === undefined) continue;
      this.#gossipMembers(host);
      const due = host.ipam.nextTimeout();
      if (due !== undefined && due <= this.now) host.ipam.tick(this.now);
      this.settle(host);
    }
    if (this.now >= this.#syncAt) {
      this.#syncAt = this.now + 500;
      for (const record of this.#board.values()) this.#spread(record);
    }
  }

  #gossipMembers(host: Host): void {
    for (const other of this.hosts) {
      if (other === host) continue;
      const alive = other.ipam !== undefined && this.reaches(host, other);
      if (alive === host.seenAlive.has(other.peer)) continue;
      if (alive) host.seenAlive.add(other.peer);
      host.ipam!.memberChanged(other.peer, alive ? 'alive' : 'dead', this.now);
      if (!alive) host.seenAlive.delete(other.peer);
    }
    for (const peer of host.seenAlive) {
      if (this.hostOf(peer) !== undefined) continue;
      host.ipam!.memberChanged(peer, 'dead', this.now);
      host.seenAlive.delete(peer);
    }
  }

  #take(host: Host, out: IpamOutput): void {
    switch (out.type) {
      case 'publish': {
        const sequence = ++this.#sequence;
        const record = { origin: host.peer, slot: out.slot, payload: out.payload.slice(), sequence };
        this.#board.set(`${record.origin} ${record.slot}`, record);
        this.#latestByHost.set(`${host.index} ${record.origin} ${record.slot}`, record);
        this.#spread(record);
        break;
      }
      case 'message':
        this.#send(host, out.to, (to) => to.ipam!.handleMessage(host.peer, out.bytes, this.now));
        break;
      case 'genesisWanted':
        host.events.push(out);
        if (this.authoritySilent) break;
        this.authority ??= out.proposal;
        this.answerGenesis(host);
        break;
      case 'removalProposed':
        this.#proposeRemoval(host, out.state);
        break;
      case 'allocated':
        this.allocations++;
        host.answers.set(out.request, out);
        host.live.set(`${out.allocation.key.containerId}/${out.allocation.key.ifname}`, out.allocation);
        break;
      case 'allocateFailed':
      case 'removed':
      case 'removeFailed':
        host.answers.set(out.request, out);
        break;
      default:
        host.events.push(out);
    }
  }

  /** What was created first is answered a while later, if whoever asked still runs. */
  answerGenesis({ peer }: Host): void {
    const delay = 1 + randomBelow(this.random, 100);
    const run = (host: Host): void => void host.ipam!.genesisDecided(this.authority!, this.now);
    this.#queue.push({ at: this.now + delay, order: this.#order++, to: peer, run });
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  /** Takes a proposal of a host that knows the last state of the subject, and tells all hosts of it. */
  #proposeRemoval(host: Host, state: RemovalState): void {
    if (this.authoritySilent || host.shownRemovals.get(state.subject) !== this.removals.get(state.subject))
      return;
    this.removals.set(state.subject, state);
    for (const other of this.hosts) this.showRemovals(other);
  }

  /** The watch of a host brings all that is now, a while later. */
  showRemovals({ peer }: Host): void {
    const at = this.now + 1 + randomBelow(this.random, 100);
    const run = (host: Host): void => {
      host.shownRemovals = new Map(this.removals);
      host.ipam!.authorityShows([...this.removals.values()], this.now);
    };
    this.#queue.push({ at, order: this.#order++, to: peer, run });
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  /** To every host that does not have it, from any that has a newer one and reaches it. */
  #spread({ origin, slot }: Posting): void {
    const key = `${origin} ${slot}`;
    const latest = (host: Host): Posting | undefined => this.#latestByHost.get(`${host.index} ${key}`);
    const holders = this.hosts.filter((host) => host.ipam && latest(host) !== undefined);
    for (const to of this.hosts) {
      if (to.peer === origin) continue;
      const known = latest(to)?.sequence ?? 0;
      const source = holders.find((holder) => this.reaches(holder, to) && latest(holder)!.sequence > known);
      if (source === undefined) continue;
      const posting = latest(source)!;
      this.#send(source, to.peer, (host) => {
        if ((latest(host)?.sequence ?? 0) >= posting.sequence) return;
        this.#latestByHost.set(`${host.index} ${key}`, posting);
        host.ipam!.handleRecord({ origin, slot, payload: posting.payload.slice() }, this.now);
      });
    }
  }

  #send(from: Host, to: PeerId, run: (host: Host) => void): void {
    const target = this.hostOf(to);
    const copies = randomUnit(this.random) < 0.05 ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delay = 1 + randomBelow(this.random, randomUnit(this.random) < 0.1 ? 400 : 30);
      if (!target || !this.reaches(from, target) || randomUnit(this.random) < (this.options.loss ?? 0))
        continue;
      this.#queue.push({ at: this.now + delay, order: this.#order++, to, run });
    }
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
  }
}

import type { Address, Family } from '../base/address.ts';
import { assert } from '../base/assert.ts';
import { hex } from '../base/bytes.ts';
import type { Counters } from '../base/counters.ts';
import { after, earliest, type Instant, instant } from '../base/instant.ts';
import { type PeerId, shortPeerId } from '../base/peer-id.ts';
import { shuffle } from '../base/random.ts';
import type { Range } from '../base/range.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { WeftError } from '../base/weft-error.ts';
import { Allocator, familiesOf, isValidKey, mapKey } from './allocator.ts';
import { chooseBlock } from './free-space.ts';
import {
  decodeGenesis,
  ELECTORATE_LIMIT,
  encodeGenesis,
  GENESIS_ID_LENGTH,
  type Genesis,
  sameUniverses,
  shareEvenly,
} from './genesis.ts';
import { type AskOutcome, decodeMessage, encodeMessage, type IpamMessage } from './messages.ts';
import { GenesisPaxos } from './paxos.ts';
import { RangeSeeker } from './range-seeker.ts';
import { Reclaim } from './reclaim.ts';
import { ORIGIN_LIMIT, Ring } from './ring.ts';
import {
  appendToLog,
  councilOf,
  decodeRingLog,
  emptyLog,
  GENESIS_ENTRY_LIMIT,
  type JoinChange,
  type NewEntry,
  RING_LOG_GRANT_LIMIT,
  type RingLog,
} from './ring-log.ts';
import {
  type AllocateFailure,
  type Allocation,
  type AllocationKey,
  DEFAULT_ALLOCATE_TIMEOUT_MS,
  DEFAULT_SAFE_WAIT_MS,
  DEFAULT_SEED_WAIT_MS,
  type IpamConfig,
  type IpamFault,
  type IpamOptions,
  type IpamOutput,
  type IpamStatus,
  type RemoveFailure,
  type RequestId,
} from './types.ts';

/** Allocations that may wait for a range at the same time. */
export const WAITING_LIMIT = 1024;
/** Members of a node's council. A majority of it can remove the node; more would only make its log longer. */
export const COUNCIL_LIMIT = 15;
/** Members that a council has at the least, where there are as many, before its peer gets a range. */
export const COUNCIL_MINIMUM = 3;
/** A peer gets at most one grant in this time. */
export const GRANT_INTERVAL_MS = 200;
/**
 * A node that comes back to a ring hands nothing new out before it has listened: a moment after the first peer is
 * seen alive, or for so long where none is. It may have been removed meanwhile, and has to hear of it first.
 */
export const RETURN_LISTEN_MS = 300;
export const RETURN_ALONE_MS = 2000;
/** A node asks for more before it runs dry: when less than this part of what it owns is free. */
const LOW_WATER = 8n;
const FAMILIES = [4, 6] as const;

interface Waiting {
  readonly request: RequestId;
  readonly key: AllocationKey;
  readonly deadline: Instant;
}

/**
 * Address management of one node: its part of the ring, its allocations, and its share in the agreements.
 *
 * A pure core. The shell's loop is: hand in what has come (records, messages, requests, `tick`), `store.flush()`, then
 * drain {@link poll}; an output may never leave before the flush that follows the call which produced it (store.ts).
 * Inputs of peers may be anything: they are counted under `ipam.*` and dropped.
 */
export class Ipam {
  readonly #self: PeerId;
  readonly #options: IpamOptions;
  readonly #config: IpamConfig;
  readonly #counters: Counters;
  readonly #ring = new Ring();
  readonly #allocator: Allocator;
  readonly #seeker: RangeSeeker;
  readonly #reclaim: Reclaim;
  readonly #paxos: GenesisPaxos | undefined;
  readonly #outputs: IpamOutput[] = [];
  readonly #waitingByKey = new Map<string, Waiting[]>();
  #waitingCount = 0;
  readonly #alive = new Set<PeerId>();
  readonly #freeByPeer = new Map<PeerId, { readonly 4?: number; readonly 6?: number }>();
  readonly #grantByPeer = new Map<PeerId, { request: number; outcome: AskOutcome; at: Instant }>();
  /** Logs have come since then that no update has looked at. */
  #staleSince: Instant | undefined;
  #nextRequest = 1;
  #log: RingLog;
  #logDirty = false;
  #startedAt: Instant | undefined;
  /** Until then we may not know that we were removed. */
  #listenUntil: Instant = instant(0);
  #listened = true;
  #rollback: 'E_RING_ROLLBACK' | 'E_RING_FORK' | undefined;
  #logFull = false;
  #faultCodes = new Set<string>();
  #reportedRevision = 0;
  #ownedText = '';
  #reportedFree = '';
  #fencedReported = false;

  /** Reads the store. Throws a WeftError (E_STORE_CORRUPT, E_ELECTORATE) where it or the settings are unusable. */
  constructor(options: IpamOptions) {
    this.#options = options;
    this.#self = options.self;
    this.#counters = options.counters;
    this.#config = {
      seedWaitMs: DEFAULT_SEED_WAIT_MS,
      allocateTimeoutMs: DEFAULT_ALLOCATE_TIMEOUT_MS,
      safeWaitMs: DEFAULT_SAFE_WAIT_MS,
      ...options.config,
    };
    const { store, random, self, name } = options;
    this.#log = restoreLog(store.get('log'));
    if (this.#log.bytes.length > 1) this.#ring.merge(self, this.#log.bytes);
    const rollback = store.get('rollback');
    if (rollback) this.#rollback = rollback[0] === 1 ? 'E_RING_ROLLBACK' : 'E_RING_FORK';
    this.#allocator = new Allocator(store, options.bootId);
    this.#seeker = new RangeSeeker(random);
    this.#reclaim = new Reclaim({
      self,
      ring: this.#ring,
      store,
      safeWaitMs: this.#config.safeWaitMs,
      isAlive: (peer) => this.#alive.has(peer),
      send: (to, message) => this.#send(to, message),
      append: (entries) => this.#operational() && this.#append(entries),
      done: (request, peer, failure) => this.#removalDone(request, peer, failure),
    });
    const { init } = this.#config;
    if (init.mode === 'consensus') {
      checkElectorate(init.electorate);
      const propose = (electors: readonly PeerId[]): Uint8Array => encodeGenesis(this.#newGenesis(electors));
      this.#paxos = new GenesisPaxos({ self, name, electorate: init.electorate, random, store, propose });
    }
  }

  /** Once, before anything else; the shell then hands in the records that gossip restored. */
  start(now: Instant): void {
    assert(this.#startedAt === undefined, 'start() is called once');
    this.#startedAt = now;
    this.#logDirty = this.#log.bytes.length > 1;
    const alone = councilOf(this.#self, this.#log).size === 1;
    this.#listenUntil = after(now, alone ? 0 : RETURN_ALONE_MS);
    this.#update(now);
  }

  /** A newer verified record of slot 'ring' or 'paxos', our own (`ownRecordAhead`) included. */
  handleRecord(
    record: { readonly origin: PeerId; readonly slot: 'ring' | 'paxos'; readonly payload: Uint8Array },
    now: Instant,
  ): Result<void, string> {
    const result =
      record.slot === 'ring'
        ? this.#handleLog(record.origin, record.payload)
        : (this.#paxos?.handleRow(record.origin, record.payload, now) ?? ok(undefined));
    // A restart brings a thousand logs at once: the ring is evaluated once for all of them, by the tick that is due now.
    if (result.ok && record.slot === 'ring' && record.origin !== this.#self) this.#staleSince ??= now;
    else if (result.ok) this.#update(now);
    else this.#counters.add(`ipam.${record.slot}-record.${result.reason}`);
    return result;
  }

  /** From a peer's node record: `free` as that peer's {@link freeHints}. Only steers whom we ask first. */
  handleNode(
    origin: PeerId,
    info: { readonly free: { readonly 4?: number; readonly 6?: number } },
    _now: Instant,
  ): void {
    if (origin === this.#self) return;
    if (this.#freeByPeer.size >= ORIGIN_LIMIT && !this.#freeByPeer.has(origin)) return;
    this.#freeByPeer.set(origin, info.free);
  }

  /** What gossip thinks of a peer. Steers whom we ask and vetoes removals; never changes who owns what. */
  memberChanged(peer: PeerId, state: 'alive' | 'suspect' | 'dead' | 'left', now: Instant): void {
    const listenUntil = after(now, RETURN_LISTEN_MS);
    if (state === 'alive' && listenUntil < this.#listenUntil) this.#listenUntil = listenUntil;
    if (state === 'alive') this.#alive.add(peer);
    else this.#alive.delete(peer);
    if (state === 'alive' && this.#seeker.outcome !== undefined) this.#seeker.reset();
    this.#update(now);
  }

  /** A datagram of a peer's Ipam, without the channel byte. */
  handleMessage(from: PeerId, bytes: Uint8Array, now: Instant): Result<void, string> {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) {
      this.#counters.add('ipam.message.malformed');
      return decoded;
    }
    const message = decoded.value;
    if (message.kind === 'ask') this.#handleAsk(from, message.request, message.families, now);
    else if (message.kind === 'answer') {
      if (!this.#seeker.handleAnswer(from, message.request, message.outcome, now))
        this.#counters.add('ipam.message.late-answer');
    } else this.#reclaim.handle(from, message, now);
    this.#update(now);
    return ok(undefined);
  }

  /** Asks for the addresses of `key`: the same as before where it has some. Answered by an output. */
  allocate(key: AllocationKey, now: Instant): RequestId {
    const request = this.#nextRequest++;
    const waiting = { request, key, deadline: after(now, this.#config.allocateTimeoutMs) };
    if (!isValidKey(key)) this.#failAllocation(waiting, 'bad-key');
    else if (this.#waitingCount >= WAITING_LIMIT) this.#failAllocation(waiting, 'busy');
    else {
      this.#waitingByKey.set(mapKey(key), [...(this.#waitingByKey.get(mapKey(key)) ?? []), waiting]);
      this.#waitingCount++;
      this.#update(now);
    }
    return request;
  }

  /** Frees what `key` has: true where it had addresses. Requests that wait for it fail as busy. */
  release(key: AllocationKey, now: Instant): boolean {
    for (const waiting of this.#takeWaiting(mapKey(key))) this.#failAllocation(waiting, 'busy');
    const released = this.#allocator.release(key);
    this.#update(now);
    return released;
  }

  allocation(key: AllocationKey): Allocation | undefined {
    return this.#allocator.get(key);
  }

  allocations(): Allocation[] {
    return this.#allocator.all();
  }

  /** Allocations made in an earlier boot of the host: the shell says which of them still exist, by {@link retain}. */
  staleAllocations(): Allocation[] {
    return this.#allocator.stale();
  }

  /**
   * Releases all allocations but those of `keys` and the node's own; what is kept counts as made in this boot.
   * Returns what it released.
   */
  retain(keys: Iterable<AllocationKey>, now: Instant): Allocation[] {
    const released = this.#allocator.retain(keys);
    this.#update(now);
    return released;
  }

  /** Takes over the ranges of a peer that is gone for good. Takes `safeWaitMs` and more; answered by an output. */
  removePeer(peer: PeerId, now: Instant): RequestId {
    const request = this.#nextRequest++;
    if (this.#ring.view.genesis === undefined) this.#removalDone(request, peer, 'no-ring');
    else if (!this.#operational()) this.#removalDone(request, peer, 'fault');
    else this.#reclaim.remove(request, peer, now);
    this.#update(now);
    return request;
  }

  ownerOf(address: Address): PeerId | undefined {
    return this.#ring.ownerOf(address);
  }

  rangesOf(peer: PeerId): Range[] {
    return this.#ring.rangesOf(peer);
  }

  /** The routing table: sorted, disjoint; neighbours have different owners. */
  owners(): readonly { readonly range: Range; readonly owner: PeerId }[] {
    return this.#ring.owners();
  }

  /** Grows with every change of {@link owners}. */
  get revision(): number {
    return this.#ring.revision;
  }

  /** log2 of the largest free run of addresses, rounded down, by family; absent where there is nothing to give. */
  freeHints(): { 4?: number; 6?: number } {
    const hints: { 4?: number; 6?: number } = {};
    if (!this.#operational()) return hints;
    for (const family of FAMILIES) {
      let largest = 0n;
      for (const { start, end } of this.#allocator.space(family)?.intervals ?? [])
        if (end - start > largest) largest = end - start;
      if (largest >= 2n) hints[family] = largest.toString(2).length - 1;
    }
    return hints;
  }

  status(): IpamStatus {
    const faults = this.#faults();
    const fenced = this.#ring.removal(this.#self) !== undefined;
    const blocking = faults.find(({ code }) => BLOCKING.has(code));
    const ready = this.#operational();
    const size = (family: Family): bigint => this.#allocator.space(family)?.owned ?? 0n;
    const free = (family: Family): bigint => this.#allocator.space(family)?.count ?? 0n;
    return {
      state: fenced ? 'fenced' : blocking ? 'fault' : ready ? 'ready' : 'waiting',
      detail: blocking ? `${blocking.message}; ${blocking.remedy}` : ready ? '' : this.#waitingFor(),
      faults,
      ring: this.#ring.view.genesis?.id,
      revision: this.revision,
      ranges: this.rangesOf(this.#self),
      owned: { 4: size(4), 6: size(6) },
      used: { 4: this.#allocator.used(4), 6: this.#allocator.used(6) },
      free: { 4: free(4), 6: free(6) },
      orphaned: this.#allocator.orphaned(),
      pending: { allocations: this.#waitingCount, removals: this.#reclaim.pending() },
      removed: [...this.#ring.view.removals].map(([peer, { heir }]) => ({ peer, heir })),
      logBytes: this.#log.bytes.length,
    };
  }

  tick(now: Instant): void {
    this.#paxos?.tick(now);
    this.#reclaim.tick(now);
    this.#update(now);
  }

  /** When {@link tick} is due next; in the past where it is due at once. */
  nextTimeout(): Instant | undefined {
    let next = earliest(this.#staleSince, this.#reclaim.nextTimeout(), this.#paxos?.nextTimeout());
    if (this.#wantedFamilies() !== 0 || this.#seeker.busy) next = earliest(next, this.#seeker.nextTimeout());
    for (const list of this.#waitingByKey.values()) next = earliest(next, list[0]?.deadline);
    // Answered at the latest then, if the wait is what holds them up; a tick more does no harm.
    if (this.#waitingCount > 0 && !this.#listened) next = earliest(next, this.#listenUntil);
    if (
      this.#config.init.mode === 'seed' &&
      this.#ring.view.genesis === undefined &&
      this.#startedAt !== undefined
    )
      next = earliest(next, after(this.#startedAt, this.#config.seedWaitMs));
    return next;
  }

  /** The next output, after `store.flush()`; undefined when there is none. */
  poll(): IpamOutput | undefined {
    return this.#outputs.shift();
  }

  // ---- what follows from every input --------------------------------------------------------------------------

  #update(now: Instant): void {
    if (this.#startedAt === undefined) return;
    this.#staleSince = undefined;
    this.#listened = now >= this.#listenUntil;
    this.#joinRing(now);
    this.#keepCouncil();
    this.#refreshOwned();
    this.#answerWaiting(now);
    this.#seek(now);
    this.#reclaim.tick(now);
    this.#publish();
    this.#report();
  }

  /** Takes up the ring that peers show, or makes one where that is for us to do. */
  #joinRing(now: Instant): void {
    if (this.#rollback !== undefined) return;
    const { genesisKey } = this.#ring.view;
    if (genesisKey !== undefined && genesisKey === this.#log.genesisKey) return;
    const genesis = this.#genesisToJoin(now);
    if (genesis === undefined || !sameUniverses(genesis.universes, this.#config.ranges)) return;
    if (this.#log.genesis !== undefined && !this.#mayChangeOver()) return;
    this.#append([{ kind: 'genesis', genesis }]);
  }

  #genesisToJoin(now: Instant): Genesis | undefined {
    const { mode } = this.#config.init;
    if (mode === 'consensus') {
      // Electors believe only what a majority of them has accepted, not what a single peer claims.
      if (this.#log.genesis !== undefined || this.#paxos?.decided === undefined) return undefined;
      const decoded = decodeGenesis(this.#paxos.decided);
      return decoded.ok ? decoded.value : undefined;
    }
    const shown = this.#ring.view.genesis;
    if (shown !== undefined || mode !== 'seed' || this.#log.genesis !== undefined) return shown;
    return now >= after(this.#startedAt!, this.#config.seedWaitMs)
      ? this.#newGenesis([this.#self])
      : undefined;
  }

  /** A node that made or joined a ring which lost against another may change over while nothing hangs on it. */
  #mayChangeOver(): boolean {
    const { grants, accepts } = this.#log;
    const used = grants.length + accepts.length + this.#allocator.size;
    return (
      used === 0 &&
      this.#log.bytes.length < RING_LOG_GRANT_LIMIT &&
      this.#log.genesisCount < GENESIS_ENTRY_LIMIT
    );
  }

  #newGenesis(owners: readonly PeerId[]): Genesis {
    return shareEvenly(hex(this.#options.random.bytes(GENESIS_ID_LENGTH)), this.#config.ranges, owners);
  }

  /** Keeps our council at its size with members of the ring, and without removed ones. */
  #keepCouncil(): void {
    if (!this.#operational()) return;
    const { members, removals } = this.#ring.view;
    const council = councilOf(this.#self, this.#log);
    const changes: NewEntry[] = [];
    for (const peer of council) {
      if (!removals.has(peer)) continue;
      changes.push({ kind: 'leave', peer });
      council.delete(peer);
    }
    for (const peer of council.size < COUNCIL_LIMIT ? [...members].sort() : []) {
      if (council.size >= COUNCIL_LIMIT) break;
      if (council.has(peer) || !this.#alive.has(peer)) continue;
      changes.push({ kind: 'join', peer });
      council.add(peer);
    }
    if (changes.length > 0) this.#append(changes);
  }

  #refreshOwned(): void {
    const genesis = this.#operational() ? this.#ring.view.genesis : undefined;
    const owned = genesis ? this.rangesOf(this.#self) : [];
    const text = `${genesis?.id} ${owned.map(({ start, end }) => `${start}-${end}`).join()}`;
    if (text === this.#ownedText) return;
    this.#ownedText = text;
    const before = FAMILIES.map((family) => this.#allocator.space(family)?.owned ?? 0n);
    this.#allocator.setOwned(genesis?.universes ?? this.#config.ranges, owned);
    if (FAMILIES.some((family, i) => (this.#allocator.space(family)?.owned ?? 0n) > before[i]!))
      this.#seeker.reset();
  }

  #answerWaiting(now: Instant): void {
    if (this.#waitingCount === 0) return;
    const operational = this.#operational();
    const blocked = this.#ring.removal(this.#self) ? 'fenced' : this.#blockingFault() ? 'fault' : undefined;
    for (const [key, list] of [...this.#waitingByKey]) {
      const mayAssign = operational && (this.#listened || this.#allocator.get(list[0]!.key) !== undefined);
      const allocation = mayAssign ? this.#allocator.assign(list[0]!.key) : undefined;
      const full = operational && (this.#seeker.outcome === 'pool-full' || (mayAssign && this.#ownsAll()));
      const failure = blocked ?? (full ? 'pool-full' : undefined);
      if (allocation !== undefined) {
        for (const { request } of this.#takeWaiting(key))
          this.#outputs.push({ type: 'allocated', request, allocation });
      } else if (failure !== undefined || list.some(({ deadline }) => now >= deadline)) {
        const timedOut: AllocateFailure = operational ? 'no-answer' : 'no-ring';
        const [late, early]: [Waiting[], Waiting[]] = [[], []];
        for (const waiting of this.#takeWaiting(key))
          (failure !== undefined || now >= waiting.deadline ? late : early).push(waiting);
        for (const waiting of late) this.#failAllocation(waiting, failure ?? timedOut);
        if (early.length > 0) this.#waitingByKey.set(key, early);
        this.#waitingCount += early.length;
      }
    }
  }

  #seek(now: Instant): void {
    const urgent = this.#waitingCount > 0;
    const wanted = this.#wantedFamilies();
    const ask = this.#seeker.tick(wanted, urgent, () => this.#donors(wanted), now);
    if (ask) this.#send(ask.to, { kind: 'ask', request: ask.request, families: ask.families });
    if (urgent && this.#seeker.outcome === 'pool-full') this.#answerWaiting(now);
  }

  /** Bit 0: IPv4 is low, bit 1: IPv6. */
  #wantedFamilies(): number {
    if (!this.#operational()) return 0;
    let wanted = 0;
    for (const family of familiesOf(this.#ring.view.genesis!.universes)) {
      const space = this.#allocator.space(family);
      if (space === undefined || space.count * LOW_WATER < space.owned || space.count === 0n)
        wanted |= family === 4 ? 1 : 2;
    }
    return wanted;
  }

  /** Nobody else has anything to give. */
  #ownsAll(): boolean {
    return this.owners().every(({ owner }) => owner === this.#self);
  }

  /** Live owners, those first who say that they have most; equal ones in random order. */
  #donors(families: number): PeerId[] {
    const family = families & 1 ? 4 : 6;
    const owners = new Set(this.owners().map(({ owner }) => owner));
    const { members, forked } = this.#ring.view;
    const able = [...owners].filter(
      (peer) => peer !== this.#self && members.has(peer) && !forked.has(peer) && this.#alive.has(peer),
    );
    const hint = (peer: PeerId): number => this.#freeByPeer.get(peer)?.[family] ?? -1;
    return shuffle(this.#options.random, able).sort((a, b) => hint(b) - hint(a));
  }

  #publish(): void {
    const row = this.#paxos?.takeRow();
    if (row) this.#outputs.push({ type: 'publish', slot: 'paxos', payload: row });
    if (!this.#logDirty) return;
    this.#logDirty = false;
    this.#outputs.push({ type: 'publish', slot: 'ring', payload: this.#log.bytes });
  }

  #report(): void {
    const revision = this.revision;
    if (revision !== this.#reportedRevision) {
      this.#reportedRevision = revision;
      this.#outputs.push({ type: 'ringChanged', revision });
    }
    const { 4: v4, 6: v6 } = this.freeHints();
    if (`${v4} ${v6}` !== this.#reportedFree) {
      this.#reportedFree = `${v4} ${v6}`;
      this.#outputs.push({ type: 'freeChanged' });
    }
    const faults = this.#faults();
    for (const fault of faults)
      if (!this.#faultCodes.has(fault.code)) this.#outputs.push({ type: 'fault', fault });
    this.#faultCodes = new Set(faults.map(({ code }) => code));
    if (this.#ring.removal(this.#self) && !this.#fencedReported) {
      this.#fencedReported = true;
      this.#outputs.push({ type: 'fenced' });
    }
  }

  // ---- the parts -----------------------------------------------------------------------------------------------

  #handleLog(origin: PeerId, payload: Uint8Array): Result<void, string> {
    const merged = this.#ring.merge(origin, payload.slice());
    if (!merged.ok) return merged;
    if (origin === this.#self) this.#ownLogCame(merged.value);
    else if (merged.value === 'rolled-back' || merged.value === 'forked') {
      this.#counters.add(`ipam.ring-record.${merged.value}`);
      return merged.value === 'forked' ? ok(undefined) : fail('rolled-back');
    }
    return ok(undefined);
  }

  /** Our own log as a peer keeps it: as long as ours or shorter, unless our state folder went back in time. */
  #ownLogCame(change: JoinChange): void {
    if (change !== 'extended' && change !== 'forked') return;
    // Before anything of ours was published there is nothing to go back from, yet an older self has spoken: its
    // grants are binding, its allocations are lost. Never guess which addresses are in use.
    this.#rollback = change === 'extended' ? 'E_RING_ROLLBACK' : 'E_RING_FORK';
    this.#options.store.put('rollback', Uint8Array.of(change === 'extended' ? 1 : 2));
    if (change === 'forked') return;
    this.#log = this.#ring.log(this.#self)!;
    this.#options.store.put('log', this.#log.bytes);
    this.#logDirty = true;
  }

  #handleAsk(from: PeerId, request: number, families: number, now: Instant): void {
    const last = this.#grantByPeer.get(from);
    if (last?.request === request && last.outcome !== 'unknown' && last.outcome !== 'busy') {
      this.#send(from, { kind: 'answer', request, outcome: last.outcome });
      return;
    }
    const recent = last?.outcome === 'granted' && now < after(last.at, GRANT_INTERVAL_MS);
    const busy = recent || !this.#listened;
    const outcome = busy ? 'busy' : this.#grantTo(from, families);
    if (outcome !== 'busy') {
      this.#grantByPeer.delete(from);
      this.#grantByPeer.set(from, { request, outcome, at: now });
      if (this.#grantByPeer.size > ORIGIN_LIMIT)
        this.#grantByPeer.delete(this.#grantByPeer.keys().next().value!);
    }
    this.#send(from, { kind: 'answer', request, outcome });
  }

  /** Gives part of our free space away. The log is staged before the answer is, and both leave after the flush. */
  #grantTo(peer: PeerId, families: number): AskOutcome {
    if (!this.#operational() || peer === this.#self) return 'no-ring';
    const { view } = this.#ring;
    if (!view.members.has(peer) || view.forked.has(peer)) return 'unknown';
    // What a peer without judges owns could never be taken back from it: it has to name some first.
    let living = 1;
    for (const member of view.members) if (this.#alive.has(member)) living++;
    if (this.#ring.council(peer)!.size < Math.min(living, COUNCIL_MINIMUM)) return 'unknown';
    if (this.#log.bytes.length > RING_LOG_GRANT_LIMIT) {
      this.#logFull = true;
      return 'none';
    }
    const grants: NewEntry[] = [];
    for (const family of familiesOf(view.genesis!.universes)) {
      if (!(families & (family === 4 ? 1 : 2))) continue;
      const space = this.#allocator.space(family)!;
      const map = view.segmentsByFamily[family];
      const own = map.segments.filter(({ owner }) => owner === this.#self);
      let theirs = 0n;
      for (const { start, end, owner } of map.segments) if (owner === peer) theirs += end - start;
      // Who already has more than we gets little: it may need it, but it cannot drain us.
      const limit = theirs > space.owned ? space.count / 8n : space.count;
      const block = limit > 0n ? chooseBlock(space.intervals, own, limit) : undefined;
      const version = block && map.at(block.start)!.version + 1;
      if (block && version) grants.push({ kind: 'grant', range: { family, ...block }, to: peer, version });
    }
    if (grants.length === 0) return 'none';
    if (!this.#append(grants)) return 'none';
    this.#refreshOwned();
    return 'granted';
  }

  #append(entries: readonly NewEntry[]): boolean {
    const log = appendToLog(this.#log, entries);
    if (log === undefined) {
      this.#logFull = true;
      return false;
    }
    const merged = this.#ring.merge(this.#self, log.bytes);
    assert(merged.ok && merged.value === 'extended', 'our own log only grows');
    this.#log = log;
    this.#options.store.put('log', log.bytes);
    this.#logDirty = true;
    return true;
  }

  /** This node may allocate, grant and vote. */
  #operational(): boolean {
    const { view } = this.#ring;
    return (
      this.#rollback === undefined &&
      view.genesis !== undefined &&
      this.#log.genesis !== undefined &&
      view.members.has(this.#self) &&
      !view.forked.has(this.#self) &&
      sameUniverses(view.genesis.universes, this.#config.ranges)
    );
  }

  #blockingFault(): boolean {
    return this.#faults().some(({ code }) => BLOCKING.has(code));
  }

  #faults(): IpamFault[] {
    const faults: IpamFault[] = [];
    const add = (code: string, message: string, remedy: string): void =>
      void faults.push({ code, message, remedy });
    const { view } = this.#ring;
    const reset =
      'stop this node, remove its state folder, start it, and `weft rmpeer` its old identity from another';
    if (view.removals.has(this.#self)) add('E_FENCED', 'this node was removed from the ring', reset);
    if (this.#rollback === 'E_RING_ROLLBACK')
      add('E_RING_ROLLBACK', 'the state folder is older than what this node has published', reset);
    if (this.#rollback === 'E_RING_FORK' || view.forked.has(this.#self))
      add(
        'E_RING_FORK',
        'this identity has published two histories: a copy or a backup of its state runs',
        reset,
      );
    if (view.genesis && !sameUniverses(view.genesis.universes, this.#config.ranges))
      add(
        'E_RANGE_MISMATCH',
        'the address range of this node differs from the one that the ring was made with',
        'start it with the same --ipalloc-range and --ipalloc-range6 as the others',
      );
    if (view.rivals > 0) {
      const loser =
        this.#log.genesis !== undefined && !view.members.has(this.#self) && !view.removals.has(this.#self);
      if (loser) add('E_TWO_RINGS', 'this node belongs to another ring than most of its peers', reset);
      else
        add(
          'E_RIVAL_RING',
          'some peers belong to another ring',
          'reset those peers; see `weft status` on them',
        );
    }
    if (this.#paxos?.abstains && this.#listed())
      add(
        'E_NAME_TAKEN',
        `the name ${this.#options.name} voted under another identity, so this node has no vote`,
        'nothing, if its disk was replaced and the others are a majority; else give each node its own name',
      );
    if (view.forked.size > (view.forked.has(this.#self) ? 1 : 0)) {
      const names = [...view.forked].slice(0, 3).map(shortPeerId).join(', ');
      add(
        'E_PEER_FORK',
        `peers have published two histories: ${names}`,
        'remove those peers with `weft rmpeer`',
      );
    }
    if (this.#logFull)
      add(
        'E_RING_LOG_FULL',
        'this node has granted so many ranges that its log is full',
        'give it a new identity',
      );
    return faults;
  }

  #listed(): boolean {
    const { init } = this.#config;
    return init.mode === 'consensus' && init.electorate.includes(this.#options.name);
  }

  #waitingFor(): string {
    if (this.#ring.view.genesis !== undefined) return 'joining the ring';
    switch (this.#config.init.mode) {
      case 'seed':
        return 'about to start the ring';
      case 'observer':
        return 'waits for a ring; start one node with --ipalloc-init seed, or some with consensus=…';
      case 'none':
        return 'no ring, and no node was told to start one; start one node with --ipalloc-init seed';
      case 'consensus':
        return `waits for a majority of the electorate; not seen: ${this.#paxos!.missing().join(', ') || 'none'}`;
    }
  }

  #removalDone(request: RequestId, peer: PeerId, failure: RemoveFailure | undefined): void {
    if (failure === undefined) this.#outputs.push({ type: 'removed', request, peer });
    else this.#outputs.push({ type: 'removeFailed', request, peer, reason: failure });
  }

  #send(to: PeerId, message: IpamMessage): void {
    this.#outputs.push({ type: 'message', to, bytes: encodeMessage(message) });
  }

  #takeWaiting(key: string): Waiting[] {
    const list = this.#waitingByKey.get(key) ?? [];
    this.#waitingByKey.delete(key);
    this.#waitingCount -= list.length;
    return list;
  }

  #failAllocation({ request, key }: Waiting, reason: AllocateFailure): void {
    this.#outputs.push({ type: 'allocateFailed', request, key, reason });
  }
}

/** Faults under which nothing is allocated. */
const BLOCKING: ReadonlySet<string> = new Set([
  'E_FENCED',
  'E_RING_ROLLBACK',
  'E_RING_FORK',
  'E_RANGE_MISMATCH',
  'E_TWO_RINGS',
]);

function restoreLog(bytes: Uint8Array | undefined): RingLog {
  if (bytes === undefined) return emptyLog();
  const decoded = decodeRingLog(bytes);
  if (decoded.ok) return decoded.value;
  throw new WeftError(
    'E_STORE_CORRUPT',
    `the stored ring log cannot be read (${decoded.reason})`,
    'remove the state folder and `weft rmpeer` this node from another',
  );
}

function checkElectorate(names: readonly string[]): void {
  const valid = names.length > 0 && names.length <= ELECTORATE_LIMIT && new Set(names).size === names.length;
  if (valid && names.every((name) => /^[^/]{1,63}$/u.test(name))) return;
  throw new WeftError(
    'E_ELECTORATE',
    `the electorate must be 1 to ${ELECTORATE_LIMIT} different node names`,
    'correct --ipalloc-init consensus=…, the same on every node',
  );
}

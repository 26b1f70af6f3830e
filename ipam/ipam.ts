import type { Address } from '../base/address.ts';
import { assert } from '../base/assert.ts';
import { earliest, type Instant } from '../base/instant.ts';
import { OutputQueue } from '../base/output-queue.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { Range } from '../base/range.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { chooseRemovalProtocol } from './agreement/choose-removal-protocol.ts';
import type { RemovalProtocol } from './agreement/removal-protocol.ts';
import { RingBootstrap } from './agreement/ring-bootstrap.ts';
import { AddressRequests } from './allocation/address-requests.ts';
import { Allocator } from './allocation/allocator.ts';
import { Donor } from './allocation/donor.ts';
import { freeHintsOf } from './allocation/donor-choice.ts';
import { type GiveAllAwayHost, giveAllAway } from './allocation/give-all-away.ts';
import { RangeSupply } from './allocation/range-supply.ts';
import { faultsOf, isBlocking } from './faults.ts';
import { KnownPeers } from './known-peers.ts';
import { Authority, type RemovalState } from './model/authority.ts';
import { decodeGenesis } from './model/genesis.ts';
import { DEFAULT_IPAM_CONFIG, type IpamConfig } from './model/ipam-config.ts';
import { decodeMessage, encodeMessage, type IpamMessage } from './model/messages.ts';
import {
  type Allocation,
  type AllocationKey,
  type FreeHints,
  type IpamFault,
  type IpamOptions,
  type IpamOutput,
  type IpamStatus,
  type LeaveFailure,
  NODE_KEY,
  type RequestId,
} from './model/types.ts';
import { COUNTER_BY_REFUSAL, type RecordRefusal } from './record-refusal.ts';
import { RejoinGrace } from './rejoin-grace.ts';
import { Reporter } from './reporter.ts';
import { councilChanges } from './ring/council.ts';
import { OwnLog } from './ring/own-log.ts';
import { Ring } from './ring/ring.ts';
import { councilOf } from './ring/ring-log.ts';
import { statusOf } from './status.ts';

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
  /** What the parts share. */
  readonly #parts: GiveAllAwayHost & { readonly name: string };
  readonly #config: IpamConfig;
  readonly #authority: Authority;
  readonly #ring: Ring;
  readonly #allocator: Allocator;
  readonly #requests: AddressRequests;
  readonly #supply: RangeSupply;
  readonly #removals: RemovalProtocol;
  readonly #bootstrap: RingBootstrap;
  readonly #donor: Donor;
  readonly #outputs = new OutputQueue<IpamOutput>();
  readonly #peers = new KnownPeers();
  readonly #reporter = new Reporter();
  /** Logs have come since then that no update has looked at. */
  #staleSince: Instant | undefined;
  #nextRequest = 1;
  readonly #log: OwnLog;
  #startedAt: Instant | undefined;
  readonly #send = (to: PeerId, message: IpamMessage): void =>
    this.#outputs.push({ type: 'message', to, bytes: encodeMessage(message) });
  readonly #rejoin: RejoinGrace;

  /** Reads the store. Throws a WeftError (E_STORE_CORRUPT, E_ELECTORATE) where it or the settings are unusable. */
  constructor(options: IpamOptions) {
    this.#options = options;
    this.#self = options.self;
    this.#config = { ...DEFAULT_IPAM_CONFIG, ...options.config };
    const { store, random, self, name } = options;
    const authority = new Authority(store);
    const ring = new Ring(self, authority, () => options.counters.add('ipam.ringEvaluated'));
    this.#authority = authority;
    this.#rejoin = new RejoinGrace(store);
    this.#ring = ring;
    this.#log = new OwnLog({ self, ring, store, ranges: this.#config.ranges });
    this.#allocator = new Allocator(store, options.bootId);
    const emit = (out: IpamOutput): void => this.#outputs.push(out);
    this.#requests = new AddressRequests(this.#allocator, this.#config.allocateTimeoutMs, emit);
    const parts = {
      self,
      name,
      config: this.#config,
      random,
      store,
      authority,
      ring,
      log: this.#log,
      allocator: this.#allocator,
      isAlive: this.#peers.isAlive,
    };
    this.#parts = parts;
    this.#supply = new RangeSupply({ ...parts, hasWayTo: options.hasWayTo ?? (() => true) });
    this.#donor = new Donor({ ...parts, onGranted: () => this.#refreshOwned() });
    this.#removals = chooseRemovalProtocol({ ...parts, send: this.#send, emit });
    this.#bootstrap = new RingBootstrap({ ...parts, allocations: () => this.#allocator.size });
  }

  /** Once, before anything else; the shell then hands in the records that gossip restored. */
  start(now: Instant): void {
    assert(this.#startedAt === undefined, 'start() is called once');
    this.#startedAt = now;
    this.#bootstrap.start(now);
    this.#log.republish();
    this.#rejoin.start(
      {
        alone: councilOf(this.#self, this.#log.log).size === 1,
        byAuthority: this.#config.init.mode === 'authority' && this.#log.log.genesis !== undefined,
        sameBoot: this.#allocator.get(NODE_KEY)?.bootId === this.#options.bootId,
      },
      now,
    );
    this.#update(now);
  }

  /** A newer verified record of slot 'ring' or 'paxos', our own (`ownRecordAhead`) included. */
  handleRecord(
    record: { readonly origin: PeerId; readonly slot: 'ring' | 'paxos'; readonly payload: Uint8Array },
    now: Instant,
  ): Result<void, RecordRefusal> {
    const result =
      record.slot === 'ring'
        ? this.#handleLog(record.origin, record.payload)
        : this.#bootstrap.handleRow(record.origin, record.payload, now);
    // A restart brings a thousand logs at once, too.
    if (result.ok && record.slot === 'ring' && record.origin !== this.#self) this.#staleSince ??= now;
    else if (result.ok) this.#update(now);
    else this.#options.counters.add(COUNTER_BY_REFUSAL[result.reason]);
    return result;
  }

  /**
   * From a peer's node record: `free` as that peer's {@link freeHints}, which only steers whom we ask first; `name` for
   * messages to people.
   */
  handleNode(origin: PeerId, info: { readonly free: FreeHints; readonly name: string }): void {
    if (origin === this.#self) return;
    this.#supply.note(origin, info.free);
    this.#peers.setName(origin, info.name);
  }

  /** What gossip thinks of a peer. Steers whom we ask and vetoes removals; never changes who owns what. */
  memberChanged(peer: PeerId, state: 'alive' | 'suspect' | 'dead' | 'left', now: Instant): void {
    if (state === 'alive') this.#rejoin.peerAlive(now);
    this.#peers.setState(peer, state);
    if (state === 'alive') this.#supply.peerCame();
    // A start brings a thousand members at once: the tick that is due now looks at all of them together.
    this.#staleSince ??= now;
  }

  /** A datagram of a peer's Ipam, without the channel byte. */
  handleMessage(from: PeerId, bytes: Uint8Array, now: Instant): Result<void, string> {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) {
      this.#options.counters.add('ipam.messageMalformed');
      return decoded;
    }
    const message = decoded.value;
    if (message.kind === 'ask') {
      const { request, families } = message;
      const outcome = this.#donor.answer(from, request, families, !this.#rejoin.over, now);
      this.#send(from, { kind: 'answer', request, outcome });
    } else if (message.kind === 'answer') {
      if (!this.#supply.handleAnswer(from, message.request, message.outcome, now))
        this.#options.counters.add('ipam.answerLate');
    } else if (this.#rejoin.over) this.#removals.handle(from, message, now);
    this.#update(now);
    return ok(undefined);
  }

  /** Asks for the addresses of `key`: the same as before where it has some. Answered by an output. */
  allocate(key: AllocationKey, now: Instant): RequestId {
    const request = this.#nextRequest++;
    if (this.#requests.add(request, key, now)) this.#update(now);
    return request;
  }

  /** Frees what `key` has: true where it had addresses. Requests that wait for it fail as busy. */
  release(key: AllocationKey, now: Instant): boolean {
    const released = this.#requests.release(key);
    this.#update(now);
    return released;
  }

  allocation(key: AllocationKey): Allocation | undefined {
    return this.#allocator.get(key);
  }

  allocations(): Allocation[] {
    return this.#allocator.all();
  }

  /** Takes over the ranges of a peer that is gone for good. Takes `safeWaitMs` and more; answered by an output. */
  removePeer(peer: PeerId, now: Instant): RequestId {
    const request = this.#nextRequest++;
    const hindered = this.#ring.view.genesis === undefined ? 'no-ring' : 'fault';
    if (this.#log.operational) this.#removals.remove(request, peer, now);
    else this.#outputs.push({ type: 'removeFailed', request, peer, reason: hindered });
    this.#update(now);
    return request;
  }

  /** Answers `genesisWanted`, or comes before it: the genesis that the authority has. False where it is none. */
  genesisDecided(bytes: Uint8Array, now: Instant): boolean {
    const genesis = decodeGenesis(bytes);
    if (genesis.ok) this.#authority.tell(genesis.value);
    this.#ring.authorityChanged();
    this.#update(now);
    return genesis.ok;
  }

  /** The encoded genesis of the ring that this node has a part in; undefined while it has none. */
  get genesis(): Uint8Array | undefined {
    return this.#log.genesis;
  }

  /** Mode 'authority': all removals that it shows at present. */
  authorityShows(states: readonly RemovalState[], now: Instant): void {
    this.#authority.show(states);
    this.#rejoin.authorityHeard();
    this.#ring.authorityChanged();
    this.#update(now);
  }

  /**
   * Gives all that this node owns to others, and deals out nothing from then on. Undefined where that is done; what it
   * said is to be published before the node ends. Otherwise nothing has changed.
   */
  leave(now: Instant): LeaveFailure | undefined {
    const failure = this.#rejoin.over ? giveAllAway(this.#parts) : 'no-ring';
    if (failure !== undefined) return failure;
    this.#supply.end();
    this.#requests.release(NODE_KEY);
    this.#update(now);
    return undefined;
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

  /** log2 of the largest free run of addresses, rounded down, by family; absent where there is nothing to give. */
  freeHints(): FreeHints {
    return this.#log.operational && this.#log.hasRoomForGrants ? freeHintsOf(this.#allocator) : {};
  }

  status(): IpamStatus {
    return statusOf({
      ...this.#parts,
      faults: this.#faults(),
      waitingFor: this.#rejoin.awaits ?? this.#bootstrap.waitingFor(),
      listening: this.#rejoin.awaitsAuthority,
      peers: this.#peers,
      pending: { allocations: this.#requests.count, removals: this.#removals.pending() },
    });
  }

  tick(now: Instant): void {
    this.#bootstrap.tick(now);
    this.#removals.tick(now);
    this.#update(now);
  }

  /** When {@link tick} is due next; in the past where it is due at once. */
  nextTimeout(): Instant | undefined {
    let next = earliest(
      this.#staleSince,
      this.#removals.nextTimeout(),
      this.#bootstrap.nextTimeout(),
      this.#bootstrap.seedAt(),
    );
    next = earliest(next, this.#supply.nextTimeout(), this.#requests.nextDeadline());
    // A request that waits only because this node still listens is answered when the listening ends.
    if (this.#requests.count > 0 && !this.#rejoin.over) next = earliest(next, this.#rejoin.until);
    return next;
  }

  /** The next output, after `store.flush()`; undefined when there is none. */
  poll(): IpamOutput | undefined {
    return this.#outputs.poll();
  }

  #update(now: Instant): void {
    if (this.#startedAt === undefined) return;
    this.#staleSince = undefined;
    this.#rejoin.advance(now);
    this.#bootstrap.advance(now);
    this.#keepCouncil();
    this.#refreshOwned();
    this.#answerWaiting(now);
    this.#seek(now);
    this.#removals.tick(now);
    this.#publish(now);
    this.#report();
  }

  #keepCouncil(): void {
    if (!this.#log.operational || !this.#rejoin.over) return;
    const changes = councilChanges(
      this.#self,
      this.#log.log,
      this.#ring.view,
      this.#ring.ownerSet(),
      this.#peers,
    );
    if (changes.length > 0) this.#log.append(changes);
  }

  #refreshOwned(): void {
    const genesis = this.#log.operational ? this.#ring.view.genesis : undefined;
    const owned = genesis ? this.rangesOf(this.#self) : [];
    if (this.#allocator.setOwned(genesis?.universes ?? this.#config.ranges, owned) === 'grown')
      this.#supply.grown();
  }

  #answerWaiting(now: Instant): void {
    if (this.#requests.count === 0) return;
    const fault = this.#faults().some(isBlocking) ? ('fault' as const) : undefined;
    const standing = {
      operational: this.#log.operational,
      listening: !this.#rejoin.over,
      blocked: this.#ring.removal(this.#self) ? ('removed' as const) : fault,
      poolFull: this.#supply.isPoolFull,
      ownsAll: this.#ring.ownsAll(this.#self),
    };
    this.#requests.answer(standing, now);
  }

  #seek(now: Instant): void {
    const urgent = this.#requests.count > 0;
    const ask = this.#supply.seek(urgent, now);
    if (ask) this.#send(ask.to, { kind: 'ask', request: ask.request, families: ask.families });
    if (urgent && this.#supply.isPoolFull) this.#answerWaiting(now);
  }

  #publish(now: Instant): void {
    const proposal = this.#bootstrap.takeProposal(now);
    if (proposal) this.#outputs.push({ type: 'genesisWanted', proposal });
    const row = this.#bootstrap.takeRow();
    if (row) this.#outputs.push({ type: 'publish', slot: 'paxos', payload: row });
    const payload = this.#log.takePayload();
    if (payload) this.#outputs.push({ type: 'publish', slot: 'ring', payload });
  }

  #report(): void {
    const selfRemoved = this.#ring.removal(this.#self) !== undefined;
    const [revision, free, faults] = [this.#ring.revision, this.freeHints(), this.#faults()];
    for (const out of this.#reporter.report({ revision, free, faults, selfRemoved })) this.#outputs.push(out);
  }

  #handleLog(origin: PeerId, payload: Uint8Array): Result<void, RecordRefusal> {
    const merged = this.#ring.merge(origin, payload.slice());
    if (!merged.ok) return merged;
    if (origin === this.#self) this.#log.shown(merged.value);
    else if (merged.value === 'rolled-back') return fail('rolled-back');
    else if (merged.value === 'forked') this.#options.counters.add('ipam.ringForked');
    return ok(undefined);
  }

  #faults(): IpamFault[] {
    return faultsOf({
      ...this.#parts,
      ranges: this.#config.ranges,
      peers: this.#peers,
      voteless: this.#bootstrap.voteless,
    });
  }
}

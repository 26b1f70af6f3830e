import { hex } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { Result } from '../../base/result.ts';
import { ok } from '../../base/result.ts';
import { WeftError } from '../../base/weft-error.ts';
import type { Authority } from '../model/authority.ts';
import {
  decodeGenesis,
  ELECTORATE_LIMIT,
  encodeGenesis,
  GENESIS_ID_LENGTH,
  type Genesis,
  sameUniverses,
  shareEvenly,
} from '../model/genesis.ts';
import type { IpamConfig, RingInit } from '../model/ipam-config.ts';
import type { IpamStore } from '../model/store.ts';
import type { OwnLog } from '../ring/own-log.ts';
import type { Ring } from '../ring/ring.ts';
import { GENESIS_ENTRY_LIMIT, RING_LOG_GRANT_LIMIT } from '../ring/ring-log.ts';
import { GenesisPaxos, type RowFault } from './paxos.ts';

/** What the bootstrap of a ring needs of its node. */
interface RingBootstrapOptions {
  readonly self: PeerId;
  readonly name: string;
  readonly config: IpamConfig;
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly random: RandomSource;
  readonly store: IpamStore;
  readonly authority: Authority;
  /** How many allocations this node has. */
  allocations(): number;
}

/** How this node comes to a ring: by making one, by agreeing on one, or by joining the one that peers show. */
export class RingBootstrap {
  readonly #options: RingBootstrapOptions;
  readonly #init: RingInit;
  readonly #paxos: GenesisPaxos | undefined;
  #startedAt: Instant | undefined;
  #proposed = false;

  /** Throws a WeftError (E_ELECTORATE) where the settings are unusable. */
  constructor(options: RingBootstrapOptions) {
    this.#options = options;
    const { self, name, random, store } = options;
    const { init } = options.config;
    this.#init = init;
    if (init.mode !== 'consensus') return;
    checkElectorate(init.electorate);
    if (init.electorate.length === 1) {
      // Nobody to agree with, so it should listen for a ring first: it may have made one, and lost its disk.
      this.#init = { mode: name === init.electorate[0] ? 'seed' : 'observer' };
      return;
    }
    const propose = (electors: readonly PeerId[]): Uint8Array => encodeGenesis(this.#newGenesis(electors));
    this.#paxos = new GenesisPaxos({ self, name, electorate: init.electorate, random, store, propose });
  }

  start(now: Instant): void {
    this.#startedAt = now;
  }

  /** A 'paxos' record of a peer. Who is not set to agree on a genesis has no use for it. */
  handleRow(origin: PeerId, payload: Uint8Array, now: Instant): Result<void, RowFault> {
    return this.#paxos?.handleRow(origin, payload, now) ?? ok(undefined);
  }

  tick(now: Instant): void {
    this.#paxos?.tick(now);
  }

  nextTimeout(): Instant | undefined {
    return this.#paxos?.nextTimeout();
  }

  /** When it is time to make a ring, or to propose one, if none is seen before. */
  seedAt(): Instant | undefined {
    const { config, ring, authority } = this.#options;
    const { mode } = this.#init;
    const isDue =
      mode === 'authority'
        ? !this.#proposed && authority.genesis === undefined
        : mode === 'seed' && ring.view.genesis === undefined;
    return isDue && this.#startedAt !== undefined ? after(this.#startedAt, config.seedWaitMs) : undefined;
  }

  /**
   * A genesis for the authority, once, where it is for it to decide: that of the ring which this node or its peers
   * have already, else a new one. Of several that are proposed the authority takes one.
   */
  takeProposal(now: Instant): Uint8Array | undefined {
    const { config, log, ring, self } = this.#options;
    if (config.init.mode !== 'authority' || log.rollback !== undefined) return undefined;
    const at = this.seedAt();
    if (at === undefined || now < at) return undefined;
    this.#proposed = true;
    return encodeGenesis(log.log.genesis ?? ring.view.genesis ?? this.#newGenesis([self]));
  }

  /** Our 'paxos' record, if it is to be published (again). */
  takeRow(): Uint8Array | undefined {
    return this.#paxos?.takeRow();
  }

  /** Takes up the ring that peers show, or makes one where that is for us to do: an entry in our log. */
  advance(now: Instant): void {
    const { log, ring, config } = this.#options;
    if (log.rollback !== undefined) return;
    const { genesisKey } = ring.view;
    if (genesisKey !== undefined && genesisKey === log.log.genesisKey) return;
    const genesis = this.#genesisToJoin(now);
    if (genesis === undefined || !sameUniverses(genesis.universes, config.ranges)) return;
    if (log.log.genesis !== undefined && !this.#mayChangeOver()) return;
    log.append([{ kind: 'genesis', genesis }]);
  }

  /** This node is listed as an elector, and its name voted under another identity. */
  get voteless(): boolean {
    if (this.#init.mode !== 'consensus' || !this.#paxos?.abstains) return false;
    return this.#init.electorate.includes(this.#options.name);
  }

  /** What is waited for, in words for the user. */
  waitingFor(): string {
    const { ring, config } = this.#options;
    const isJoining = config.init.mode !== 'authority' && ring.view.genesis !== undefined;
    if (isJoining || this.#options.authority.genesis !== undefined) return 'joining the ring';
    switch (this.#init.mode) {
      case 'seed':
        return 'about to start the ring';
      case 'observer':
        return 'waits for a ring; start one node with --ipalloc-init seed, or some with consensus=…';
      case 'none':
        return 'no ring, and no node was told to start one; start one node with --ipalloc-init seed';
      case 'authority':
        return 'waits for the object that begins the ring, in the API of Kubernetes';
      case 'consensus':
        return `waits for a majority of the electorate; not seen: ${this.#paxos!.missing().join(', ') || 'none'}`;
    }
  }

  #genesisToJoin(now: Instant): Genesis | undefined {
    const { authority, config, log, ring, self } = this.#options;
    const { mode } = this.#init;
    if (mode === 'consensus') {
      // Electors believe only what a majority of them has accepted, not what a single peer claims.
      if (log.log.genesis !== undefined || this.#paxos?.decided === undefined) return undefined;
      const decoded = decodeGenesis(this.#paxos.decided);
      return decoded.ok ? decoded.value : undefined;
    }
    if (mode === 'authority') return authority.genesis;
    const shown = ring.view.genesis;
    if (shown !== undefined || mode !== 'seed' || log.log.genesis !== undefined) return shown;
    return now >= after(this.#startedAt!, config.seedWaitMs) ? this.#newGenesis([self]) : undefined;
  }

  /** A node whose ring is not the one that the authority tells may change over while nothing hangs on it. */
  #mayChangeOver(): boolean {
    const { grants, accepts, bytes, genesisCount } = this.#options.log.log;
    const used = grants.length + accepts.length + this.#options.allocations();
    return used === 0 && bytes.length < RING_LOG_GRANT_LIMIT && genesisCount < GENESIS_ENTRY_LIMIT;
  }

  #newGenesis(owners: readonly PeerId[]): Genesis {
    const { random, config } = this.#options;
    return shareEvenly(hex(random.bytes(GENESIS_ID_LENGTH)), config.ranges, owners);
  }
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

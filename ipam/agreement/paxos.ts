import { equalBytes, utf8, utf8Text } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { ByteReader, ByteWriter } from '../model/codec.ts';
import { decodeGenesis, GENESIS_LENGTH_LIMIT } from '../model/genesis.ts';
import type { IpamStore } from '../model/store.ts';
import { type Ballot, compareBallots } from '../ring/ring-log.ts';

/**
 * Agreement on the genesis among a listed electorate: single-decree Paxos (Lamport, "Paxos Made Simple", 2001)
 * carried by gossip. There are no messages. Each elector publishes one row, its acceptor state, and reacts to the
 * rows of the others:
 *
 *   - a higher promise in another row is a request to promise that ballot (phase 1a); to promise it is to put it in
 *     one's own row (1b), beside the last accepted value;
 *   - the ballot's proposer, once a majority's rows stand at its ballot, accepts a value for it: the one accepted at
 *     the highest ballot among those rows, else its own (2a);
 *   - who sees a value accepted in the row of the ballot's own proposer, and has promised nothing higher, accepts it
 *     too (2b);
 *   - a value that a majority of the *listed* electorate has accepted at one ballot is decided, for ever.
 *
 * Rows are overwritten in gossip, so a slow reader may miss states in between. That is the same as losing messages,
 * which Paxos allows. A row is staged in the store before it is published, so a restart cannot vote twice. A name
 * belongs to the first peer id that was seen under it, also across restarts: a node that lost its disk comes back
 * under a new id, and its vote does not count.
 *
 * ```
 * row: version u8 = 1 | name (length u8, text) | promised round u32, proposer 32 | 0
 *                                                          … | 1 | accepted round u32, proposer 32 | genesis …
 * ```
 */
export interface PaxosRow {
  readonly name: string;
  readonly promised: Ballot;
  readonly accepted: { readonly ballot: Ballot; readonly value: Uint8Array } | undefined;
}

/** What an elector needs. */
interface GenesisPaxosOptions {
  readonly self: PeerId;
  readonly name: string;
  readonly electorate: readonly string[];
  readonly random: RandomSource;
  readonly store: IpamStore;
  /** The value to propose if it is for us to choose: an encoded genesis in which `electors` share. */
  readonly propose: (electors: readonly PeerId[]) => Uint8Array;
}

/** How long a proposer that sees a majority waits for the rest of the electorate, so that all get a share. */
const COMPLETE_WAIT_MS = 1000;
/** A ballot that has not come to a decision by then is tried again, higher; doubles up to the limit, with jitter. */
const RETRY_MS = 500;
const RETRY_LIMIT_MS = 8000;
/** A bad elector must not use up the rounds: a row this far ahead of all that we know is not believed. */
const ROUND_JUMP_LIMIT = 10_000;

/** Why a row of another peer is not taken. */
export type RowFault = 'malformed' | 'not-listed' | 'name-taken' | 'implausible';

const VERSION = 1;
const NO_BALLOT: Ballot = { round: 0, proposer: ''.padStart(64, '0') as PeerId };

/** One node's part in the agreement: acceptor, proposer and learner. Without a vote it only learns. */
export class GenesisPaxos {
  readonly #options: GenesisPaxosOptions;
  readonly #majority: number;
  readonly #peerByName = new Map<string, PeerId>();
  readonly #rowByPeer = new Map<PeerId, PaxosRow>();
  #own: PaxosRow;
  #abstains = false;
  #dirty = false;
  #decided: Uint8Array | undefined;
  #proposeAt: Instant | undefined;
  #retryMs = RETRY_MS;
  #startedAt: Instant | undefined;

  constructor(options: GenesisPaxosOptions) {
    this.#options = options;
    const { store, self, name } = options;
    this.#majority = Math.floor(options.electorate.length / 2) + 1;
    this.#own = { name, promised: NO_BALLOT, accepted: undefined };
    for (const listed of options.electorate) {
      const bound = store.get(`paxos/name/${listed}`);
      const text = bound && utf8Text(bound);
      if (text) this.#peerByName.set(listed, text as PeerId);
    }
    const stored = store.get('paxos/row');
    const row = stored && decodeRow(stored);
    if (row?.ok && row.value.name === name) this.#own = row.value;
    this.#abstains = !options.electorate.includes(name) || store.get('paxos/abstain') !== undefined;
    if (this.#abstains) return;
    if (this.#peerByName.get(name) === undefined) this.#bind(name, self);
    if (this.#peerByName.get(name) !== self) this.#abstain();
    else this.#dirty = true;
  }

  /** The decided value, once it is known. */
  get decided(): Uint8Array | undefined {
    return this.#decided;
  }

  /** True where this node has no vote: not listed, or its name belongs to another peer. */
  get abstains(): boolean {
    return this.#abstains;
  }

  /** Listed names under which nobody has been seen. */
  missing(): string[] {
    return this.#options.electorate.filter((name) => {
      const peer = this.#peerByName.get(name);
      return peer === undefined || (peer !== this.#options.self && !this.#rowByPeer.has(peer));
    });
  }

  /** Our row, if it is to be published (again). The write of it is staged. */
  takeRow(): Uint8Array | undefined {
    if (!this.#dirty || this.#abstains) return undefined;
    this.#dirty = false;
    return encodeRow(this.#own);
  }

  /** A row of another peer. */
  handleRow(origin: PeerId, payload: Uint8Array, now: Instant): Result<void, RowFault> {
    const decoded = decodeRow(payload);
    if (!decoded.ok) return decoded;
    const row = decoded.value;
    if (origin === this.#options.self) return ok(undefined);
    if (!this.#options.electorate.includes(row.name)) return fail('not-listed');
    const bound = this.#peerByName.get(row.name);
    if (row.name === this.#options.name && bound === this.#options.self) {
      // Our name under another id: we are the second to bear it, or somebody took it. Without a vote nothing breaks,
      // so whoever has not voted yet stands back. A promise is no vote: it may have come with the rows of others, an
      // instant before the one of our former self without which we would never learn what is decided.
      if (this.#own.accepted !== undefined || this.#abstains || this.#decided !== undefined)
        return fail('name-taken');
      this.#abstain();
      this.#bind(row.name, origin);
    } else if (bound === undefined) {
      if ([...this.#peerByName.values()].includes(origin)) return fail('name-taken');
      this.#bind(row.name, origin);
    } else if (bound !== origin) return fail('name-taken');
    if (row.promised.round > this.#highestRound() + ROUND_JUMP_LIMIT) return fail('implausible');
    this.#rowByPeer.set(origin, row);
    this.#react(now);
    return ok(undefined);
  }

  tick(now: Instant): void {
    this.#startedAt ??= now;
    this.#react(now);
    if (this.#proposeAt === undefined || now < this.#proposeAt) return;
    const jitter = 0.5 + randomUnit(this.#options.random);
    this.#proposeAt = after(now, this.#retryMs * jitter);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LIMIT_MS);
    this.#update({
      ...this.#own,
      promised: { round: this.#own.promised.round + 1, proposer: this.#options.self },
    });
    this.#react(now);
  }

  nextTimeout(): Instant | undefined {
    return this.#proposeAt;
  }

  #react(now: Instant): void {
    if (!this.#abstains && this.#decided === undefined) {
      for (const [origin, row] of this.#rowByPeer) {
        if (compareBallots(row.promised, this.#own.promised) > 0)
          this.#update({ ...this.#own, promised: row.promised });
        this.#followProposer(origin, row);
      }
      this.#chooseValue();
    }
    this.#countVotes();
    this.#planProposal(now);
  }

  #followProposer(origin: PeerId, { accepted }: PaxosRow): void {
    if (accepted === undefined || accepted.ballot.proposer !== origin) return;
    if (compareBallots(accepted.ballot, this.#own.promised) < 0) return;
    if (this.#own.accepted && compareBallots(accepted.ballot, this.#own.accepted.ballot) <= 0) return;
    this.#update({ ...this.#own, promised: accepted.ballot, accepted });
  }

  #chooseValue(): void {
    const { promised, accepted } = this.#own;
    if (promised.proposer !== this.#options.self) return;
    if (accepted && compareBallots(accepted.ballot, promised) === 0) return;
    const quorum = [this.#own, ...this.#rowByPeer.values()].filter(
      (row) => compareBallots(row.promised, promised) === 0,
    );
    if (quorum.length < this.#majority) return;
    const highest = quorum
      .flatMap((row) => (row.accepted ? [row.accepted] : []))
      .sort((a, b) => compareBallots(b.ballot, a.ballot))[0];
    const value = highest?.value ?? this.#options.propose(this.#electors());
    this.#update({ ...this.#own, accepted: { ballot: promised, value } });
  }

  #countVotes(): void {
    if (this.#decided !== undefined) return;
    const rows = [...(this.#abstains ? [] : [this.#own]), ...this.#rowByPeer.values()];
    for (const { accepted } of rows) {
      if (accepted === undefined) continue;
      const votes = rows.filter(
        (row) =>
          row.accepted &&
          compareBallots(row.accepted.ballot, accepted.ballot) === 0 &&
          equalBytes(row.accepted.value, accepted.value),
      );
      if (votes.length < this.#majority) continue;
      this.#decided = accepted.value;
      this.#proposeAt = undefined;
      this.#showDecided(accepted);
      return;
    }
  }

  /**
   * Votes for what is decided, so that those who come later see it even when electors whose votes decided it are gone.
   * Harmless at any ballot and above any promise: no later ballot can have another value.
   */
  #showDecided(accepted: NonNullable<PaxosRow['accepted']>): void {
    const { promised, accepted: own } = this.#own;
    if (this.#abstains || (own !== undefined && compareBallots(own.ballot, accepted.ballot) === 0)) return;
    const highest = compareBallots(promised, accepted.ballot) > 0 ? promised : accepted.ballot;
    this.#update({ ...this.#own, promised: highest, accepted });
  }

  /** Proposes once a majority is there; at once when all are, else after a while; again when a ballot led nowhere. */
  #planProposal(now: Instant): void {
    const present = this.#electors().length;
    if (this.#decided !== undefined || this.#abstains || present < this.#majority) {
      this.#proposeAt = undefined;
      return;
    }
    if (this.#proposeAt !== undefined && this.#own.promised.round > 0) return;
    const complete = present === this.#options.electorate.length;
    // Somebody else's ballot is on its way: give it time. Else the first in the order of ids goes first.
    const rank = this.#electors().indexOf(this.#options.self);
    const patience = this.#own.promised.round > 0 ? this.#retryMs : rank * RETRY_MS;
    const wait = patience + (complete ? 0 : COMPLETE_WAIT_MS);
    const at = after(
      complete || this.#own.promised.round > 0 ? now : (this.#startedAt ?? now),
      wait * (1 + randomUnit(this.#options.random) / 4),
    );
    if (this.#proposeAt === undefined || at < this.#proposeAt) this.#proposeAt = at;
  }

  #electors(): PeerId[] {
    return [...(this.#abstains ? [] : [this.#options.self]), ...this.#rowByPeer.keys()].sort();
  }

  #highestRound(): number {
    let highest = this.#own.promised.round;
    for (const row of this.#rowByPeer.values()) highest = Math.max(highest, row.promised.round);
    return highest;
  }

  #update(row: PaxosRow): void {
    this.#own = row;
    this.#options.store.put('paxos/row', encodeRow(row));
    this.#dirty = true;
  }

  #bind(name: string, peer: PeerId): void {
    this.#peerByName.set(name, peer);
    this.#options.store.put(`paxos/name/${name}`, utf8(peer));
  }

  #abstain(): void {
    this.#abstains = true;
    this.#dirty = false;
    this.#proposeAt = undefined;
    this.#options.store.put('paxos/abstain', new Uint8Array(1));
  }
}

/** The payload of a 'paxos' record. */
export function encodeRow({ name, promised, accepted }: PaxosRow): Uint8Array {
  const out = new ByteWriter().u8(VERSION).text(name).u32(promised.round).peer(promised.proposer);
  if (accepted === undefined) return out.u8(0).finish();
  return out.u8(1).u32(accepted.ballot.round).peer(accepted.ballot.proposer).bytes(accepted.value).finish();
}

/** Accepts only rows whose value is a well-formed genesis and whose accepted ballot is not above the promised one. */
export function decodeRow(bytes: Uint8Array): Result<PaxosRow, 'malformed'> {
  if (bytes.length > GENESIS_LENGTH_LIMIT + 512) return fail('malformed');
  const reader = new ByteReader(bytes);
  if (reader.u8() !== VERSION) return fail('malformed');
  const name = reader.text();
  const promised = { round: reader.u32(), proposer: reader.peer() };
  const flag = reader.u8();
  if (flag === 0) return reader.finished ? ok({ name, promised, accepted: undefined }) : fail('malformed');
  const ballot = { round: reader.u32(), proposer: reader.peer() };
  const value = bytes.slice(reader.at);
  if (flag !== 1 || !reader.ok || !decodeGenesis(value).ok) return fail('malformed');
  if (compareBallots(ballot, promised) > 0) return fail('malformed');
  return ok({ name, promised, accepted: { ballot, value } });
}

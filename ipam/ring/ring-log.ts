import { ADDRESS_BITS } from '../../base/address.ts';
import { concat, equalBytes, hex } from '../../base/bytes.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type Range, rangeSize } from '../../base/range.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { ByteReader, ByteWriter } from '../model/codec.ts';
import { decodeGenesis, encodeGenesis, GENESIS_LENGTH_LIMIT, type Genesis } from '../model/genesis.ts';

/**
 * What one peer has said about the ring, ever: the payload of its 'ring' record.
 *
 * It is a log of entries that only grows. A newer payload of the same origin has the older one as its prefix, byte
 * by byte, so "which is newer" needs no clock and no sequence number, and a rollback shows. Two payloads of which
 * neither is a prefix of the other are a *fork*: the origin contradicted itself (or a backup of its state folder was
 * restored), and only what both share counts.
 *
 * ```
 * version u8 = 1, then entries:
 * 1 peer     | peer id 32                                       gives the id the next index, from 0
 * 2 genesis  | length u16 | genesis                             the ring that the origin believes in from here on;
 *                                                               all that stands before it is void
 * 3 grant    | family u8 | prefix u8 | address 4|16 | to u16 | version u32
 * 4 join     | peer u16                                         the origin takes the peer into its council
 * 5 leave    | peer u16                                         … and out of it
 * 6 accept   | subject u16 | round u32 | proposer u16 | heir u16 | cut u32     a vote to remove the subject
 * ```
 */
export interface RingLog {
  readonly bytes: Uint8Array;
  /** Contradicted by another payload of the origin behind these bytes. Only a join sets it. */
  readonly forked: boolean;
  /** Offset behind each entry, ascending; the first is 1, behind the version byte. */
  readonly ends: readonly number[];
  readonly peers: readonly PeerId[];
  readonly genesis: Genesis | undefined;
  /** The bytes of the genesis entry as a map key: equal only where the whole genesis is equal. */
  readonly genesisKey: string | undefined;
  /** Genesis entries so far, of at most {@link GENESIS_ENTRY_LIMIT}. */
  readonly genesisCount: number;
  readonly grants: readonly Grant[];
  readonly council: readonly CouncilChange[];
  readonly accepts: readonly Accept[];
}

export interface Grant {
  /** A CIDR block. */
  readonly range: Range;
  readonly to: PeerId;
  /** The block's version once it is granted: one more than while the grantor owned it. ≥ 1. */
  readonly version: number;
  /** Offset in the log behind this entry. */
  readonly end: number;
}

/** A peer joins or leaves the council of the log's origin. */
interface CouncilChange {
  readonly peer: PeerId;
  readonly joins: boolean;
  readonly end: number;
}

/** A ballot of the agreement on a removal, ordered by round, then proposer. */
export interface Ballot {
  readonly round: number;
  readonly proposer: PeerId;
}

export interface Accept {
  /** Who is to be removed. */
  readonly subject: PeerId;
  readonly ballot: Ballot;
  /** Who gets all that the subject owns. */
  readonly heir: PeerId;
  /** How many bytes of the subject's log count; entries after them are void. */
  readonly cut: number;
}

export type LogFault = 'too-large' | 'malformed' | 'bad-version';

/** Bytes of a 'ring' record's payload: what gossip carries, 63 KiB (a record with its envelope must fit one frame). */
export const RING_LOG_LIMIT = 63 * 1024;
/** Beyond this a node makes no more grants: the rest is kept for votes and council changes. */
export const RING_LOG_GRANT_LIMIT = 56 * 1024;
/** Genesis entries in a log: joining a ring, and changing over to another while nothing was granted. */
export const GENESIS_ENTRY_LIMIT = 8;

const VERSION = 1;
const KIND = { peer: 1, genesis: 2, grant: 3, join: 4, leave: 5, accept: 6 } as const;

/** An entry that is to be appended. */
export type NewEntry =
  | { readonly kind: 'genesis'; readonly genesis: Genesis }
  | { readonly kind: 'grant'; readonly range: Range; readonly to: PeerId; readonly version: number }
  | { readonly kind: 'join' | 'leave'; readonly peer: PeerId }
  | ({ readonly kind: 'accept' } & Accept);

/** The log of a peer that has said nothing. */
export function emptyLog(): RingLog {
  return parseRingLog(Uint8Array.of(VERSION))!;
}

/** Reads a payload. The log keeps the bytes: the caller must not change them. */
export function decodeRingLog(bytes: Uint8Array): Result<RingLog, LogFault> {
  if (bytes.length > RING_LOG_LIMIT) return fail('too-large');
  if (bytes[0] !== VERSION) return fail('bad-version');
  const log = parseRingLog(bytes);
  return log ? ok(log) : fail('malformed');
}

/** `log` with `entries` behind it, or undefined where it would exceed {@link RING_LOG_LIMIT}. */
export function appendToLog(log: RingLog, entries: readonly NewEntry[]): RingLog | undefined {
  const out = new ByteWriter();
  const indexByPeer = new Map(log.peers.map((peer, i) => [peer, i]));
  const index = (peer: PeerId): number => {
    const known = indexByPeer.get(peer);
    if (known !== undefined) return known;
    out.u8(KIND.peer).peer(peer);
    indexByPeer.set(peer, indexByPeer.size);
    return indexByPeer.size - 1;
  };
  for (const entry of entries) {
    switch (entry.kind) {
      case 'genesis': {
        const body = encodeGenesis(entry.genesis);
        out.u8(KIND.genesis).u16(body.length).bytes(body);
        break;
      }
      case 'grant': {
        const to = index(entry.to);
        const { family, start } = entry.range;
        out.u8(KIND.grant).u8(family).u8(prefixOf(entry.range)).address({ family, value: start });
        out.u16(to).u32(entry.version);
        break;
      }
      case 'join':
      case 'leave': {
        const peer = index(entry.peer);
        out.u8(KIND[entry.kind]).u16(peer);
        break;
      }
      case 'accept': {
        const [subject, proposer, heir] = [
          index(entry.subject),
          index(entry.ballot.proposer),
          index(entry.heir),
        ];
        out.u8(KIND.accept).u16(subject).u32(entry.ballot.round).u16(proposer).u16(heir).u32(entry.cut);
        break;
      }
    }
  }
  const bytes = concat(log.bytes, out.finish());
  return bytes.length > RING_LOG_LIMIT ? undefined : parseRingLog(bytes);
}

export type JoinChange = 'same' | 'extended' | 'rolled-back' | 'forked';

/**
 * Joins the log of an origin as it is known with one that arrives. Where one extends the other, that is the longer one;
 * else the prefix that both share, marked as forked. Idempotent, commutative and associative,
 * and never larger than its parts. `change` says what happened to `known`.
 */
export function joinLogs(known: RingLog | undefined, other: RingLog): { log: RingLog; change: JoinChange } {
  if (known === undefined) return { log: other, change: 'extended' };
  const shared = commonPrefix(known.bytes, other.bytes);
  const [knownIsPrefix, otherIsPrefix] = [shared === known.bytes.length, shared === other.bytes.length];
  if (knownIsPrefix && otherIsPrefix) {
    if (known.forked || !other.forked) return { log: known, change: 'same' };
    return { log: other, change: 'forked' };
  }
  // A forked log is the beginning that contradicting logs share. A longer log with that beginning adds nothing to it.
  if (otherIsPrefix && !other.forked) return { log: known, change: known.forked ? 'same' : 'rolled-back' };
  if (knownIsPrefix && !known.forked) return { log: other, change: other.forked ? 'forked' : 'extended' };
  if (knownIsPrefix) return { log: known, change: 'same' };
  if (otherIsPrefix) return { log: other, change: 'forked' };
  const end = known.ends.findLast((at) => at <= shared) ?? 1;
  const log = parseRingLog(known.bytes.subarray(0, end))!;
  return { log: { ...log, forked: true }, change: 'forked' };
}

/** The peers whose majority may remove the origin, as of the first `cut` bytes of its log, the origin included. */
export function councilOf(origin: PeerId, log: RingLog, cut = log.bytes.length): Set<PeerId> {
  const council = new Set<PeerId>([origin]);
  const owners = log.genesis?.shares.map((share) => share.owner) ?? [];
  if (owners.includes(origin)) for (const owner of owners) council.add(owner);
  for (const change of log.council) {
    if (change.end > cut) break;
    if (change.joins) council.add(change.peer);
    else if (change.peer !== origin) council.delete(change.peer);
  }
  return council;
}

/** Below 0 where `a` is the lower ballot. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round;
  return a.proposer < b.proposer ? -1 : a.proposer > b.proposer ? 1 : 0;
}

/** The prefix length of a CIDR block. */
function prefixOf(block: Range): number {
  return ADDRESS_BITS[block.family] - (rangeSize(block).toString(2).length - 1);
}

function commonPrefix(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  if (equalBytes(a.subarray(0, length), b.subarray(0, length))) return length;
  let i = 0;
  while (a[i] === b[i]) i++;
  return i;
}

function parseRingLog(bytes: Uint8Array): RingLog | undefined {
  const reader = new ByteReader(bytes, 1);
  const ends = [1];
  const peers: PeerId[] = [];
  const seen = new Set<PeerId>();
  let grants: Grant[] = [];
  let council: CouncilChange[] = [];
  let accepts: Accept[] = [];
  let genesis: Genesis | undefined;
  let genesisKey: string | undefined;
  let genesisCount = 0;
  let valid = true;
  const peer = (): PeerId => {
    const found = peers[reader.u16()];
    if (found === undefined) valid = false;
    return found ?? ('' as PeerId);
  };
  while (!reader.finished) {
    switch (reader.u8()) {
      case KIND.peer: {
        const id = reader.peer();
        if (seen.has(id)) valid = false;
        seen.add(id);
        peers.push(id);
        break;
      }
      case KIND.genesis: {
        const length = reader.u16();
        const body = length <= GENESIS_LENGTH_LIMIT ? reader.bytes(length) : new Uint8Array(0);
        const decoded = decodeGenesis(body);
        if (!decoded.ok || ++genesisCount > GENESIS_ENTRY_LIMIT) return undefined;
        genesis = decoded.value;
        genesisKey = hex(body);
        [grants, council, accepts] = [[], [], []];
        break;
      }
      case KIND.grant: {
        const family = reader.family();
        const prefix = reader.u8();
        const start = reader.address(family).value;
        const to = peer();
        const version = reader.u32();
        const size = 1n << BigInt(Math.max(ADDRESS_BITS[family] - prefix, 0));
        if (prefix > ADDRESS_BITS[family] || start % size !== 0n || version === 0) valid = false;
        grants.push({ range: { family, start, end: start + size }, to, version, end: reader.at });
        break;
      }
      case KIND.join:
        council.push({ peer: peer(), joins: true, end: reader.at });
        break;
      case KIND.leave:
        council.push({ peer: peer(), joins: false, end: reader.at });
        break;
      case KIND.accept: {
        const subject = peer();
        const ballot = { round: reader.u32(), proposer: peer() };
        accepts.push({ subject, ballot, heir: peer(), cut: reader.u32() });
        break;
      }
      default:
        return undefined;
    }
    if (!valid || !reader.ok) return undefined;
    ends.push(reader.at);
  }
  return { bytes, forked: false, ends, peers, genesis, genesisKey, genesisCount, grants, council, accepts };
}

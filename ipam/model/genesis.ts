import { ADDRESS_BITS, type Address } from '../../base/address.ts';
import { hex } from '../../base/bytes.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { compareRanges, type Range, rangeSize, sameRange } from '../../base/range.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { ByteReader, ByteWriter } from './codec.ts';

/**
 * The beginning of a ring: what it spans, and who owned which part at version 0. Made once, by a seed or by
 * agreement of an electorate, and carried by every member's log ever after.
 *
 * ```
 * id 16 | universes u8 (1..2) | { family u8, first address 4|16, last address 4|16 } …
 *       | shares u8 (1..128)  | { universe u8, first 4|16, last 4|16, owner 32 } …
 * ```
 */
export interface Genesis {
  /** 32 hex digits, random: tells rings apart. */
  readonly id: string;
  /** At most one range of each family, IPv4 first. */
  readonly universes: readonly Range[];
  /** Sorted and disjoint; together exactly the universes. */
  readonly shares: readonly { readonly range: Range; readonly owner: PeerId }[];
}

export const GENESIS_ID_LENGTH = 16;
/** Of shares: two families for each of {@link ELECTORATE_LIMIT} owners. */
const SHARE_LIMIT = 62;
/** Names in an electorate. More do not make it safer, and the genesis has to fit in a 'paxos' record of 8 KiB. */
export const ELECTORATE_LIMIT = 31;
/** Bytes: 17 + 2 × 33 + 1 + 62 × 65. */
export const GENESIS_LENGTH_LIMIT = 4200;
/** Addresses in a universe at the least, or nothing useful fits between its reserved first and last. */
const UNIVERSE_MIN_SIZE = 4n;

/**
 * A genesis in which `owners` (1 to 31 distinct peers) share each universe evenly, in the order of their ids.
 * Borders are rounded to blocks of a 64th of a share, so that what is dealt later stays in few, large blocks.
 */
export function shareEvenly(id: string, universes: readonly Range[], owners: readonly PeerId[]): Genesis {
  const sorted = [...new Set(owners)].sort();
  const shares: { range: Range; owner: PeerId }[] = [];
  for (const universe of [...universes].sort(compareRanges)) {
    const size = rangeSize(universe);
    const count = BigInt(sorted.length);
    let unit = 1n;
    while (unit * 128n * count <= size) unit *= 2n;
    const border = (i: number): bigint =>
      i === sorted.length ? universe.end : universe.start + ((BigInt(i) * size) / count / unit) * unit;
    for (const [i, owner] of sorted.entries()) {
      const [start, end] = [border(i), border(i + 1)];
      if (start < end) shares.push({ range: { family: universe.family, start, end }, owner });
    }
  }
  return { id, universes: [...universes].sort(compareRanges), shares };
}

/** The canonical bytes, as {@link Genesis} describes them. */
export function encodeGenesis(genesis: Genesis): Uint8Array {
  const out = new ByteWriter();
  for (let i = 0; i < genesis.id.length; i += 2) out.u8(Number.parseInt(genesis.id.slice(i, i + 2), 16));
  out.u8(genesis.universes.length);
  for (const universe of genesis.universes) {
    out.u8(universe.family);
    writeBounds(out, universe);
  }
  out.u8(genesis.shares.length);
  for (const { range, owner } of genesis.shares) {
    out.u8(genesis.universes.findIndex((universe) => universe.family === range.family));
    writeBounds(out, range);
    out.peer(owner);
  }
  return out.finish();
}

/** Accepts only the canonical form: families in order, shares sorted, disjoint and without a gap. */
export function decodeGenesis(bytes: Uint8Array): Result<Genesis, 'malformed'> {
  if (bytes.length > GENESIS_LENGTH_LIMIT) return fail('malformed');
  const reader = new ByteReader(bytes);
  const id = hex(reader.bytes(GENESIS_ID_LENGTH));
  const universes: Range[] = [];
  const universeCount = reader.u8();
  if (universeCount < 1 || universeCount > 2) return fail('malformed');
  for (let i = 0; i < universeCount; i++) {
    const range = readBounds(reader, reader.family());
    if (range === undefined || rangeSize(range) < UNIVERSE_MIN_SIZE) return fail('malformed');
    universes.push(range);
  }
  if (universeCount === 2 && universes[0]!.family >= universes[1]!.family) return fail('malformed');
  const shares: { range: Range; owner: PeerId }[] = [];
  const shareCount = reader.u8();
  if (shareCount < 1 || shareCount > SHARE_LIMIT) return fail('malformed');
  for (let i = 0; i < shareCount; i++) {
    const universe = universes[reader.u8()];
    const range = universe && readBounds(reader, universe.family);
    if (range === undefined) return fail('malformed');
    shares.push({ range, owner: reader.peer() });
  }
  if (
    !reader.finished ||
    !covers(
      universes,
      shares.map((share) => share.range),
    )
  )
    return fail('malformed');
  return ok({ id, universes, shares });
}

/** True where both hold the same ranges, in any order. */
export function sameUniverses(a: readonly Range[], b: readonly Range[]): boolean {
  return a.length === b.length && a.every((range) => b.some((other) => sameRange(range, other)));
}

function covers(universes: readonly Range[], ranges: readonly Range[]): boolean {
  let i = 0;
  for (const universe of universes) {
    let at = universe.start;
    while (at < universe.end) {
      const range = ranges[i++];
      if (range === undefined || range.family !== universe.family || range.start !== at) return false;
      at = range.end;
    }
    if (at !== universe.end) return false;
  }
  return i === ranges.length;
}

function writeBounds(out: ByteWriter, range: Range): void {
  const last: Address = { family: range.family, value: range.end - 1n };
  out.address({ family: range.family, value: range.start }).address(last);
}

function readBounds(reader: ByteReader, family: Range['family']): Range | undefined {
  const start = reader.address(family).value;
  const end = reader.address(family).value + 1n;
  if (!reader.ok || start >= end || end > 1n << BigInt(ADDRESS_BITS[family])) return undefined;
  return { family, start, end };
}

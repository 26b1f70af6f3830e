import type { Address, Family } from '../../base/address.ts';
import { addressBytes } from '../../base/address.ts';
import { readU32BE } from '../../base/bytes.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Route } from './datapath.ts';

/**
 * Who owns an address: the ring of owners, laid out for two lookups per packet (source and destination).
 *
 * Immutable: a change of the ring makes a new table. Spans are sorted and disjoint, so a lookup is one binary
 * search over typed arrays: no bigint, no object. An address that two routes claim for different owners belongs to
 * nobody here: it is denied, not guessed, and the rest keeps working.
 */
export class RouteTable {
  /** Owners; the lookups return an index into it. */
  readonly owners: readonly PeerId[];
  /** Spans of addresses that more than one owner claims. Not 0 means a bug or a split ring. */
  readonly contestedSpans: number;
  readonly #first4: Uint32Array;
  readonly #last4: Uint32Array;
  readonly #owner4: Int32Array;
  /** Four big-endian words per span: the first and the last address in it. */
  readonly #first6: Uint32Array;
  readonly #last6: Uint32Array;
  readonly #owner6: Int32Array;

  constructor(routes: readonly Route[]) {
    const owners = [...new Set(routes.map((route) => route.owner))];
    const indexByOwner = new Map(owners.map((owner, index) => [owner, index]));
    const v4 = disjointSpans(routes, 4, indexByOwner);
    const v6 = disjointSpans(routes, 6, indexByOwner);
    this.owners = owners;
    this.contestedSpans = v4.contested + v6.contested;
    this.#first4 = Uint32Array.from(v4.spans, (span) => Number(span.first));
    this.#last4 = Uint32Array.from(v4.spans, (span) => Number(span.last));
    this.#owner4 = Int32Array.from(v4.spans, (span) => span.owner);
    this.#first6 = Uint32Array.from(v6.spans.flatMap((span) => words6(span.first)));
    this.#last6 = Uint32Array.from(v6.spans.flatMap((span) => words6(span.last)));
    this.#owner6 = Int32Array.from(v6.spans, (span) => span.owner);
  }

  /** Index of the owner of the address of `family` whose bytes begin at `at`; −1 when nobody owns it. */
  ownerIndex(family: Family, bytes: Uint8Array, at: number): number {
    return family === 4 ? this.#ownerIndex4(readU32BE(bytes, at)) : this.#ownerIndex6(bytes, at);
  }

  /** For status and tests; the hot path uses {@link ownerIndex}. */
  ownerOf(address: Address): PeerId | undefined {
    return this.owners[this.ownerIndex(address.family, addressBytes(address), 0)];
  }

  /** The spans of IPv4, for whoever looks up elsewhere: words first, last, owner of each, in order. */
  spans4(): Uint32Array {
    return interleaved(this.#owner4, [this.#first4, 1], [this.#last4, 1]);
  }

  /** The spans of IPv6 likewise: four words of first, four of last, the highest first, and the owner. */
  spans6(): Uint32Array {
    return interleaved(this.#owner6, [this.#first6, 4], [this.#last6, 4]);
  }

  #ownerIndex4(address: number): number {
    const first = this.#first4;
    let low = 0;
    let high = first.length;
    // The last span that begins at or before the address.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (first[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address <= this.#last4[low - 1]! ? this.#owner4[low - 1]! : -1;
  }

  #ownerIndex6(bytes: Uint8Array, at: number): number {
    const w0 = readU32BE(bytes, at);
    const w1 = readU32BE(bytes, at + 4);
    const w2 = readU32BE(bytes, at + 8);
    const w3 = readU32BE(bytes, at + 12);
    let low = 0;
    let high = this.#owner6.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare6(this.#first6, 4 * middle, w0, w1, w2, w3) <= 0) low = middle + 1;
      else high = middle;
    }
    const found = low > 0 && compare6(this.#last6, 4 * (low - 1), w0, w1, w2, w3) >= 0;
    return found ? this.#owner6[low - 1]! : -1;
  }
}

/** For each owner the words of the columns (with how many each has for one), then the owner. */
function interleaved(owners: Int32Array, ...columns: (readonly [Uint32Array, number])[]): Uint32Array {
  return Uint32Array.from(
    [...owners].flatMap((owner, i) => [
      ...columns.flatMap(([words, width]) => [...words.subarray(i * width, (i + 1) * width)]),
      owner,
    ]),
  );
}

/** Negative, zero or positive as the address at `at` of `words` is below, at or above w0…w3. */
function compare6(words: Uint32Array, at: number, w0: number, w1: number, w2: number, w3: number): number {
  return words[at]! - w0 || words[at + 1]! - w1 || words[at + 2]! - w2 || words[at + 3]! - w3;
}

function words6(value: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn));
}

/** Addresses of one owner, both ends included: the end of the address space has no successor. */
interface Span {
  readonly first: bigint;
  last: bigint;
  readonly owner: number;
}

/**
 * Sweeps over the borders of all ranges of `family` and keeps what exactly one owner claims, neighbouring spans of
 * one owner joined.
 */
function disjointSpans(
  routes: readonly Route[],
  family: Family,
  indexByOwner: ReadonlyMap<PeerId, number>,
): { spans: Span[]; contested: number } {
  const borders = routes
    .filter(({ range }) => range.family === family && range.start < range.end)
    .flatMap(({ range, owner }) => [
      { at: range.start, owner: indexByOwner.get(owner)!, change: 1 },
      { at: range.end, owner: indexByOwner.get(owner)!, change: -1 },
    ])
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const claimsByOwner = new Map<number, number>();
  const spans: Span[] = [];
  let contested = 0;
  for (const [i, border] of borders.entries()) {
    const claims = (claimsByOwner.get(border.owner) ?? 0) + border.change;
    if (claims === 0) claimsByOwner.delete(border.owner);
    else claimsByOwner.set(border.owner, claims);
    const end = borders[i + 1]?.at;
    if (end === undefined || end === border.at || claimsByOwner.size === 0) continue;
    if (claimsByOwner.size > 1) {
      contested++;
      continue;
    }
    const [owner] = claimsByOwner.keys();
    const before = spans.at(-1);
    if (before !== undefined && before.owner === owner && before.last + 1n === border.at)
      before.last = end - 1n;
    else spans.push({ first: border.at, last: end - 1n, owner: owner! });
  }
  return { spans, contested };
}

import { ADDRESS_BITS, type Address, type Family, parseAddress } from '../../base/address.ts';
import { compareRanges, type Range } from '../../base/range.ts';

/** Addresses as ranges that are sorted, disjoint and not adjacent: IPv4 first. */
export type AddressBlocks = readonly Range[];

/**
 * The range of a CIDR as the API takes it. Bits beneath the prefix are passed over (`fd00::1/64` is `fd00::/64`), as are
 * leading zeros in IPv4; a block of IPv4 that is written as IPv6 (`::ffff:10.0.0.0/104`) is one of IPv4. Undefined where
 * it is no CIDR.
 */
export function readBlock(text: string): Range | undefined {
  const match = /^([^/]{2,45})\/(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const address = parseAddress(withoutLeadingZeros(match[1]!));
  if (address === undefined) return undefined;
  const prefix = Number(match[2]);
  if (prefix > ADDRESS_BITS[address.family]) return undefined;
  if (address.family === 6 && prefix >= 96 && address.value >> 32n === 0xffffn)
    return blockOf(4, address.value & 0xffff_ffffn, prefix - 96);
  return blockOf(address.family, address.value, prefix);
}

function blockOf(family: Family, value: bigint, prefix: number): Range {
  const size = 1n << BigInt(ADDRESS_BITS[family] - prefix);
  const start = (value / size) * size;
  return { family, start, end: start + size };
}

function withoutLeadingZeros(text: string): string {
  return /^[\d.]+$/.test(text) ? text.replace(/\b0+(?=\d)/g, '') : text;
}

/** The addresses in any of the ranges, which may overlap, touch and come twice. */
export function mergeBlocks(ranges: readonly Range[]): AddressBlocks {
  const merged: Range[] = [];
  for (const range of [...ranges].sort(compareRanges)) {
    const last = merged.at(-1);
    if (last === undefined || last.family !== range.family || last.end < range.start) merged.push(range);
    else if (last.end < range.end) merged[merged.length - 1] = { ...last, end: range.end };
  }
  return merged;
}

/** The addresses of `block` that lie in none of `except`. */
export function subtractBlocks(block: Range, except: readonly Range[]): AddressBlocks {
  const left: Range[] = [];
  let { start } = block;
  for (const hole of mergeBlocks(except)) {
    if (hole.family !== block.family || hole.end <= start || hole.start >= block.end) continue;
    if (hole.start > start) left.push({ family: block.family, start, end: hole.start });
    start = hole.end;
  }
  if (start < block.end) left.push({ family: block.family, start, end: block.end });
  return left;
}

/** Whether one of the ranges holds `address`. */
export function blocksContain(blocks: AddressBlocks, address: Address): boolean {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = blocks[middle]!;
    const before =
      range.family === address.family ? range.end <= address.value : range.family < address.family;
    if (before) low = middle + 1;
    else high = middle;
  }
  const found = blocks[low];
  return found !== undefined && found.family === address.family && found.start <= address.value;
}

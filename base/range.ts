import { ADDRESS_BITS, type Address, type Family, formatAddress, parseAddress } from './address.ts';

/** Addresses from `start` up to but not including `end`; never empty. */
export interface Range {
  readonly family: Family;
  readonly start: bigint;
  readonly end: bigint;
}

/** Reads CIDR text, `10.32.0.0/12`. Undefined where it is malformed or has bits set beneath its prefix. */
export function parseCidr(text: string): Range | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match ? parseAddress(match[1]!) : undefined;
  if (!match || !address) return undefined;
  const prefix = Number(match[2]);
  const bits = ADDRESS_BITS[address.family];
  if (prefix > bits) return undefined;
  const size = 1n << BigInt(bits - prefix);
  if (address.value % size !== 0n) return undefined;
  return { family: address.family, start: address.value, end: address.value + size };
}

/** The fewest CIDR blocks that make up `range`, in order. */
export function rangeCidrs(range: Range): string[] {
  const out: string[] = [];
  const bits = ADDRESS_BITS[range.family];
  let at = range.start;
  while (at < range.end) {
    let log = 0;
    while (log < bits && at % (2n << BigInt(log)) === 0n && at + (2n << BigInt(log)) <= range.end) log++;
    out.push(`${formatAddress({ family: range.family, value: at })}/${bits - log}`);
    at += 1n << BigInt(log);
  }
  return out;
}

/** `10.32.0.0/12` where the range is one block, else `10.32.0.0-10.32.0.9` (last address included). */
export function formatRange(range: Range): string {
  const cidrs = rangeCidrs(range);
  if (cidrs.length === 1) return cidrs[0]!;
  const last = { family: range.family, value: range.end - 1n };
  return `${formatAddress({ family: range.family, value: range.start })}-${formatAddress(last)}`;
}

/** Number of addresses. */
export function rangeSize(range: Range): bigint {
  return range.end - range.start;
}

/** Whether `address` is of the range's family and lies in it. */
export function rangeContains(range: Range, address: Address): boolean {
  return range.family === address.family && range.start <= address.value && address.value < range.end;
}

/** The addresses in both, or undefined where there are none. */
export function intersectRanges(a: Range, b: Range): Range | undefined {
  if (a.family !== b.family) return undefined;
  const start = a.start > b.start ? a.start : b.start;
  const end = a.end < b.end ? a.end : b.end;
  return start < end ? { family: a.family, start, end } : undefined;
}

/** Equal family, start and end. */
export function sameRange(a: Range, b: Range): boolean {
  return a.family === b.family && a.start === b.start && a.end === b.end;
}

/** IPv4 first, then by start, then by end. */
export function compareRanges(a: Range, b: Range): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return a.end < b.end ? -1 : a.end > b.end ? 1 : 0;
}

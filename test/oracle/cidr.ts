import type { Family } from './api-objects.ts';

/** An address as a text of its bits, `0` and `1`, 32 or 128 of them; undefined where it is no address. */
export function bitsOf(address: string): string | undefined {
  return address.includes(':') ? bitsOfV6(address) : bitsOfV4(address);
}

/** The family of an address; undefined where it is none. */
export function familyOf(address: string): Family | undefined {
  const bits = bitsOf(address);
  return bits === undefined ? undefined : bits.length === 32 ? 4 : 6;
}

/** Whether two texts name one address. */
export function isSameAddress(a: string, b: string): boolean {
  const bits = bitsOf(a);
  return bits !== undefined && bits === bitsOf(b);
}

/** Whether a CIDR holds an address. What its text has behind the prefix does not count. */
export function cidrHolds(cidr: string, address: string): boolean {
  const prefix = prefixOf(cidr);
  const bits = bitsOf(address);
  if (prefix === undefined || bits === undefined) return false;
  return prefix.width === bits.length && bits.startsWith(prefix.bits);
}

/** What a CIDR fixes, and how many bits its addresses have; undefined where it is no CIDR. */
export function prefixOf(cidr: string): { bits: string; width: number } | undefined {
  const [base, length, ...rest] = cidr.split('/');
  if (base === undefined || length === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length))
    return undefined;
  const bits = bitsOf(base);
  if (bits === undefined || Number(length) > bits.length) return undefined;
  return { bits: bits.slice(0, Number(length)), width: bits.length };
}

function bitsOfV4(text: string): string | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.map((part) => Number(part).toString(2).padStart(8, '0')).join('');
}

function bitsOfV6(text: string): string | undefined {
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  if (halves.length > 2) return undefined;
  const given = halves.flat();
  if (halves.length === 1 ? given.length !== 8 : given.length > 7) return undefined;
  const zeros = Array.from({ length: 8 - given.length }, () => '0');
  const groups = [...halves[0]!, ...zeros, ...(halves[1] ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
}

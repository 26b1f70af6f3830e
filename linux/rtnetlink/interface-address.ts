import { type Address, addressBytes, addressFromBytes, formatAddress } from '../../base/address.ts';
import { readU32LE, writeU32LE } from '../../base/bytes.ts';
import {
  attribute,
  attributeU32,
  join,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  parseAttributes,
  u32Attribute,
} from '../netlink-message.ts';
import { command, dump, type NetlinkRequest } from '../netlink-request.ts';

/** An address of an interface. */
export interface InterfaceAddress {
  /** The interface's index. */
  readonly link: number;
  readonly address: Address;
  /** Prefix length. */
  readonly prefix: number;
  readonly scope: AddressScope;
  /** False while duplicate address detection runs or after it failed, and for deprecated addresses. */
  readonly usable: boolean;
  /** A privacy address that the kernel will replace. */
  readonly temporary: boolean;
}

type AddressScope = 'global' | 'link' | 'host' | 'other';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const HEADER_LENGTH = 8;
const AF_INET = 2;
const AF_INET6 = 10;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_TEMPORARY = 0x01;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_NOPREFIXROUTE = 0x200;

const SCOPE_NUMBER = { global: 0, link: 253, host: 254, other: 200 } as const;

/**
 * Adds an address, without duplicate address detection (ours are unique by the ring) and without a prefix route.
 * EEXIST where the interface has it, unless `replace`.
 */
export function addAddress(
  link: number,
  address: Address,
  prefix: number,
  options: { readonly scope?: AddressScope; readonly replace?: boolean } = {},
): NetlinkRequest {
  const scope = options.scope ?? 'global';
  const flags = NLM_F_CREATE | (options.replace ? NLM_F_REPLACE : NLM_F_EXCL);
  const body = join([
    addressHeader(address.family, prefix, scope, link),
    attribute(IFA_LOCAL, addressBytes(address)),
    attribute(IFA_ADDRESS, addressBytes(address)),
    u32Attribute(IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE),
  ]);
  return command(`add address ${formatAddress(address)}/${prefix}`, RTM_NEWADDR, flags, body);
}

/** EADDRNOTAVAIL where the interface does not have it. */
export function deleteAddress(link: number, address: Address, prefix: number): NetlinkRequest {
  const body = join([
    addressHeader(address.family, prefix, 'global', link),
    attribute(IFA_LOCAL, addressBytes(address)),
    attribute(IFA_ADDRESS, addressBytes(address)),
  ]);
  return command(`delete address ${formatAddress(address)}/${prefix}`, RTM_DELADDR, 0, body);
}

/** All addresses of both families, of one interface where `link` is given (kernels before 4.20 send all). */
export function dumpAddresses(link = 0): NetlinkRequest {
  const header = new Uint8Array(HEADER_LENGTH);
  writeU32LE(header, 4, link);
  return dump('list addresses', RTM_GETADDR, header);
}

/** Reads an address message; undefined where it is another message or malformed. */
export function parseInterfaceAddress(message: NetlinkMessage): InterfaceAddress | undefined {
  const { type, payload } = message;
  if (type !== RTM_NEWADDR || payload.length < HEADER_LENGTH) return undefined;
  const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
  if (!attributes.ok) return undefined;
  // On a point-to-point interface IFA_ADDRESS is the other end; IFA_LOCAL is missing for plain IPv6.
  const value = attributes.value.get(IFA_LOCAL) ?? attributes.value.get(IFA_ADDRESS);
  const address = value && addressFromBytes(value);
  if (!address || address.family !== familyOf(payload[0]!)) return undefined;
  const flags = attributeU32(attributes.value, IFA_FLAGS) ?? payload[2]!;
  return {
    link: readU32LE(payload, 4),
    address,
    prefix: payload[1]!,
    scope: scopeOf(payload[3]!),
    usable: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) === 0,
    // The same bit means for IPv4 that it is not the first of its subnet.
    temporary: address.family === 6 && (flags & IFA_F_TEMPORARY) !== 0,
  };
}

/** The family of an AF_ number; undefined for any but AF_INET and AF_INET6. */
export function familyOf(number: number): 4 | 6 | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined;
}

/** AF_INET or AF_INET6. */
export function familyNumber(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6;
}

function scopeOf(number: number): AddressScope {
  return number === 0 ? 'global' : number === 253 ? 'link' : number === 254 ? 'host' : 'other';
}

/**
 * ```
 *   0        1        2       3       4            8
 *   | family | prefix | flags | scope | link index |
 * ```
 */
function addressHeader(family: 4 | 6, prefix: number, scope: AddressScope, link: number): Uint8Array {
  const out = new Uint8Array(HEADER_LENGTH);
  out[0] = familyNumber(family);
  out[1] = prefix;
  out[3] = SCOPE_NUMBER[scope];
  writeU32LE(out, 4, link);
  return out;
}

import { readU16BE, readU32BE } from '../../base/bytes.ts';

/**
 * Reading IP headers, as strictly as a firewall must: a packet whose headers cannot be followed to the transport
 * header is denied, not guessed at (nebula #1789 and #1840 let extension headers through unread).
 *
 * ```
 * IPv4 (RFC 791)                               IPv6 (RFC 8200)
 * 0   version 4 | IHL        8  TTL            0   version | class | flow label
 * 1   DSCP | ECN             9  protocol       4   payload length
 * 2   total length           10 checksum       6   next header
 * 4   identification         12 source         7   hop limit
 * 6   flags | offset         16 destination    8   source       24  destination
 * ```
 */
export interface IpPacket {
  family: 4 | 6;
  /** Where the IP header begins in the bytes. */
  start: number;
  /** Bytes of the whole packet, headers included. */
  length: number;
  /** Where the transport header begins in the bytes, behind options and extension headers. */
  transport: number;
  /** Protocol at `transport`. */
  protocol: number;
  /** Part of a fragmented packet, or an IPv6 packet with a fragment header. */
  fragment: boolean;
  /** A fragment that does not hold the transport header. */
  laterFragment: boolean;
  /** Whether routers may not fragment it: the DF flag of IPv4; always in IPv6. */
  dontFragment: boolean;
}

/** Why a packet was denied. */
export type IpFault =
  | 'truncated'
  | 'version'
  | 'headerLength'
  | 'length'
  | 'options'
  | 'sourceRoute'
  | 'extensionHeader'
  | 'fragment'
  | 'transport';

export const PROTOCOL_ICMP4 = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ICMP6 = 58;
/** Extension headers of IPv6 that stand in front of what may be cut, or say that it is. */
export const PROTOCOL_HOP_BY_HOP = 0;
export const PROTOCOL_FRAGMENT = 44;

/** Extension headers followed before a packet is denied; RFC 8200 §4.1 has each at most once or twice. */
const MAX_EXTENSION_HEADERS = 6;

const ROUTING = 43;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
/** Headers of the same form that nobody sends between pods, and that hide what follows: mobility, HIP, shim6, experiments. */
const UNREAD_EXTENSIONS: readonly number[] = [135, 139, 140, 253, 254];

/** A result to parse into, again and again. */
export function emptyIpPacket(): IpPacket {
  return {
    family: 4,
    start: 0,
    length: 0,
    transport: 0,
    protocol: 0,
    fragment: false,
    laterFragment: false,
    dontFragment: false,
  };
}

/**
 * Reads the packet that fills [start, end) of `bytes` exactly into `into`. Returns why it is denied, or undefined
 * when it may pass; `into` is then valid, otherwise its content is not to be used. Allocates nothing.
 */
export function parseIpPacket(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: IpPacket,
): IpFault | undefined {
  if (start >= end || end > bytes.length) return 'truncated';
  into.start = start;
  into.length = end - start;
  const version = bytes[start]! >> 4;
  const fault =
    version === 4
      ? parse4(bytes, start, end, into)
      : version === 6
        ? parse6(bytes, start, end, into)
        : 'version';
  if (fault !== undefined || into.laterFragment) return fault;
  return checkTransport(bytes, end, into);
}

/** An ICMP error (RFC 792, RFC 4443 §2.1): nothing may ever be answered to one (RFC 1122 §3.2.2). */
export function isIcmpError(bytes: Uint8Array, ip: IpPacket): boolean {
  if (ip.laterFragment) return false;
  const type = bytes[ip.transport]!;
  if (ip.protocol === PROTOCOL_ICMP6) return type < 128;
  // Unreachable, source quench, redirect, time exceeded, parameter problem.
  return (
    ip.protocol === PROTOCOL_ICMP4 && (type === 3 || type === 4 || type === 5 || type === 11 || type === 12)
  );
}

/**
 * Messages that only make sense on one link and that a tunnel must never carry: router and neighbour discovery
 * and redirects (RFC 4861 §4; ICMPv4 types 5, 9, 10). A pod that sends them wants to be a router.
 */
export function isLinkControl(bytes: Uint8Array, ip: IpPacket): boolean {
  if (ip.laterFragment) return false;
  const type = bytes[ip.transport]!;
  if (ip.protocol === PROTOCOL_ICMP6) return ip.family === 6 && type >= 133 && type <= 137;
  return ip.protocol === PROTOCOL_ICMP4 && (type === 5 || type === 9 || type === 10);
}

/** Multicast, or the IPv4 limited broadcast. */
export function isMulticast(bytes: Uint8Array, ip: IpPacket): boolean {
  if (ip.family === 6) return bytes[ip.start + 24] === 0xff;
  const first = bytes[ip.start + 16]!;
  return (first >= 224 && first < 240) || readU32BE(bytes, ip.start + 16) === 0xffffffff;
}

/** Where the source address begins in the bytes. */
export function sourceAt(ip: IpPacket): number {
  return ip.start + (ip.family === 4 ? 12 : 8);
}

/** Where the destination address begins in the bytes. */
export function destinationAt(ip: IpPacket): number {
  return ip.start + (ip.family === 4 ? 16 : 24);
}

function parse4(bytes: Uint8Array, start: number, end: number, into: IpPacket): IpFault | undefined {
  if (end - start < 20) return 'truncated';
  const headerLength = (bytes[start]! & 15) * 4;
  if (headerLength < 20 || headerLength > end - start) return 'headerLength';
  if (readU16BE(bytes, start + 2) !== end - start) return 'length';
  const flagsAndOffset = readU16BE(bytes, start + 6);
  if (flagsAndOffset & 0x8000) return 'fragment'; // reserved, must be zero
  into.family = 4;
  into.transport = start + headerLength;
  into.protocol = bytes[start + 9]!;
  into.fragment = (flagsAndOffset & 0x3fff) !== 0;
  into.laterFragment = (flagsAndOffset & 0x1fff) !== 0;
  into.dontFragment = (flagsAndOffset & 0x4000) !== 0;
  // RFC 1858, RFC 3128: a second fragment that begins within the TCP header rewrites its flags.
  if ((flagsAndOffset & 0x1fff) === 1 && into.protocol === PROTOCOL_TCP) return 'fragment';
  return headerLength === 20 ? undefined : checkOptions4(bytes, start + 20, start + headerLength);
}

function checkOptions4(bytes: Uint8Array, from: number, to: number): IpFault | undefined {
  for (let at = from; at < to; ) {
    const type = bytes[at]!;
    if (type === 0) return undefined; // end of list
    if (type === 1) {
      at++;
      continue;
    }
    if (type === 131 || type === 137) return 'sourceRoute'; // loose and strict (RFC 7126 §4.3)
    const length = at + 1 < to ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > to) return 'options';
    at += length;
  }
  return undefined;
}

function parse6(bytes: Uint8Array, start: number, end: number, into: IpPacket): IpFault | undefined {
  if (end - start < 40) return 'truncated';
  if (readU16BE(bytes, start + 4) !== end - start - 40) return 'length'; // jumbograms (length 0) too
  into.family = 6;
  into.fragment = false;
  into.laterFragment = false;
  into.dontFragment = true;
  let next = bytes[start + 6]!;
  let at = start + 40;
  for (let followed = 0; ; followed++) {
    if (next === ROUTING) return 'sourceRoute';
    if (UNREAD_EXTENSIONS.includes(next)) return 'extensionHeader';
    if (next === PROTOCOL_HOP_BY_HOP && followed !== 0) return 'extensionHeader'; // only directly behind the IPv6 header
    const extension =
      next === PROTOCOL_HOP_BY_HOP ||
      next === DESTINATION_OPTIONS ||
      next === PROTOCOL_FRAGMENT ||
      next === AUTHENTICATION;
    if (!extension) break;
    if (followed === MAX_EXTENSION_HEADERS || at + 8 > end) return 'extensionHeader';
    const following = bytes[at]!;
    if (next === PROTOCOL_FRAGMENT) {
      if (into.fragment) return 'fragment';
      into.fragment = true;
      into.laterFragment = (readU16BE(bytes, at + 2) & 0xfff8) !== 0;
      at += 8;
    } else at += next === AUTHENTICATION ? (bytes[at + 1]! + 2) * 4 : (bytes[at + 1]! + 1) * 8;
    if (at > end) return 'extensionHeader';
    next = following;
    // What stands in a later fragment is payload: its first bytes are no header to follow.
    if (into.laterFragment) break;
  }
  into.transport = at;
  into.protocol = next;
  return undefined;
}

/** The transport header must be there as far as filters read it, also in a first fragment (RFC 7112). */
function checkTransport(bytes: Uint8Array, end: number, ip: IpPacket): IpFault | undefined {
  const room = end - ip.transport;
  switch (ip.protocol) {
    case PROTOCOL_TCP: {
      if (room < 20) return 'transport';
      const headerLength = (bytes[ip.transport + 12]! >> 4) * 4;
      return headerLength < 20 || headerLength > room ? 'transport' : undefined;
    }
    case PROTOCOL_UDP:
    case PROTOCOL_ICMP4:
    case PROTOCOL_ICMP6:
      return room < 8 ? 'transport' : undefined;
    default:
      return undefined;
  }
}

/** Bytes of an IP packet that every link must carry (RFC 8200 §5). */
export const IPV6_MINIMUM_MTU = 1280;

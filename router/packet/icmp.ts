import { readU32BE, writeU16BE, writeU32BE } from '../../base/bytes.ts';
import type { Instant } from '../../base/instant.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { checksum, pseudoHeaderSum, writeIpv4Checksum } from './checksum.ts';
import {
  destinationAt,
  emptyIpPacket,
  type IpPacket,
  isIcmpError,
  isMulticast,
  PROTOCOL_ICMP4,
  PROTOCOL_ICMP6,
  sourceAt,
} from './ip-packet.ts';
import { VNET_HEADER_LENGTH } from './vnet-header.ts';

/**
 * The ICMP errors a tunnel owes to its pods: "too big" so that their path MTU discovery works, "unreachable" so
 * that they fail at once instead of after a minute.
 *
 * ```
 * 0      1      2          4                      8
 * | type | code | checksum | ICMPv4: 0, MTU (u16) | as much of the packet as fits
 *                          | ICMPv6: MTU (u32)    |
 * ```
 *
 * The error's source is the *destination* of the packet it speaks of, as in Linux's own tunnels
 * (`iptunnel_pmtud_build_icmp`): an IPv4 packet that came out of the TUN with an address of the host as its source
 * would be dropped there as a martian, and this one passes strict reverse path filters too.
 */

const HOP_LIMIT = 64;
/** RFC 1812 §4.3.2.3: the whole ICMPv4 error is at most 576 bytes. */
const MAX_ERROR_4 = 576;
/** RFC 4443 §2.4 (c): the whole ICMPv6 error is at most the IPv6 minimum MTU. */
const MAX_ERROR_6 = 1280;

/**
 * "Fragmentation needed" (ICMPv4 3/4, RFC 1191) or "packet too big" (ICMPv6 2/0, RFC 8201) about the packet `ip` in
 * `bytes`, as a frame for the TUN (vnet header first), owned by the caller. Undefined where no error may be sent.
 */
export function packetTooBig(bytes: Uint8Array, ip: IpPacket, mtu: number): Uint8Array | undefined {
  return ip.family === 4 ? icmpError(bytes, ip, 3, 4, mtu & 0xffff) : icmpError(bytes, ip, 2, 0, mtu);
}

/** "Host unreachable" (ICMPv4 3/1) or "address unreachable" (ICMPv6 1/3): nobody owns the destination. */
export function destinationUnreachable(bytes: Uint8Array, ip: IpPacket): Uint8Array | undefined {
  return ip.family === 4 ? icmpError(bytes, ip, 3, 1, 0) : icmpError(bytes, ip, 1, 3, 0);
}

/**
 * Where the addresses of the packet that the ICMP error `ip` quotes begin in `bytes` (RFC 792, RFC 4443 §3: behind 8
 * bytes of ICMP header). Undefined where no whole IP header of the same family is quoted.
 */
export function quotedAddresses(
  bytes: Uint8Array,
  ip: IpPacket,
): { readonly source: number; readonly destination: number } | undefined {
  const quote = ip.transport + 8;
  const end = ip.start + ip.length;
  if (quote + (ip.family === 4 ? 20 : 40) > end || bytes[quote]! >> 4 !== ip.family) return undefined;
  return ip.family === 4
    ? { source: quote + 12, destination: quote + 16 }
    : { source: quote + 8, destination: quote + 24 };
}

/** RFC 1122 §3.2.2, RFC 4443 §2.4 (e): never about an error, a later fragment, a group, or from nobody. */
function mayAnswer(bytes: Uint8Array, ip: IpPacket): boolean {
  if (ip.laterFragment || isIcmpError(bytes, ip) || isMulticast(bytes, ip)) return false;
  const source = sourceAt(ip);
  const first = bytes[source]!;
  if (ip.family === 4) return first !== 0 && first !== 127 && first < 224;
  const words = readU32BE(bytes, source) | readU32BE(bytes, source + 4) | readU32BE(bytes, source + 8);
  return first !== 0xff && (words !== 0 || readU32BE(bytes, source + 12) > 1); // neither a group, :: nor ::1
}

function icmpError(
  bytes: Uint8Array,
  about: IpPacket,
  type: number,
  code: number,
  word: number,
): Uint8Array | undefined {
  if (!mayAnswer(bytes, about)) return undefined;
  const four = about.family === 4;
  const headerLength = four ? 20 : 40;
  const quoted = Math.min(about.length, (four ? MAX_ERROR_4 : MAX_ERROR_6) - headerLength - 8);
  const frame = new Uint8Array(VNET_HEADER_LENGTH + headerLength + 8 + quoted);
  const at = VNET_HEADER_LENGTH;
  const icmp = at + headerLength;
  const ip: IpPacket = {
    ...emptyIpPacket(),
    family: about.family,
    start: at,
    length: frame.length - at,
    transport: icmp,
    protocol: four ? PROTOCOL_ICMP4 : PROTOCOL_ICMP6,
  };
  const addressLength = four ? 4 : 16;
  const source = sourceAt(about);
  const destination = destinationAt(about);
  frame.set(bytes.subarray(destination, destination + addressLength), sourceAt(ip));
  frame.set(bytes.subarray(source, source + addressLength), destinationAt(ip));
  if (four) {
    frame[at] = 0x45;
    frame[at + 1] = 0xc0; // precedence 6, RFC 1812 §4.3.2.5
    writeU16BE(frame, at + 2, ip.length);
    writeU16BE(frame, at + 6, 0x4000);
    frame[at + 8] = HOP_LIMIT;
    frame[at + 9] = PROTOCOL_ICMP4;
    writeIpv4Checksum(frame, at, headerLength);
  } else {
    frame[at] = 0x60;
    writeU16BE(frame, at + 4, ip.length - headerLength);
    frame[at + 6] = PROTOCOL_ICMP6;
    frame[at + 7] = HOP_LIMIT;
  }
  frame[icmp] = type;
  frame[icmp + 1] = code;
  writeU32BE(frame, icmp + 4, word);
  frame.set(bytes.subarray(about.start, about.start + quoted), icmp + 8);
  // Only ICMPv6 counts the pseudo header in.
  const pseudo = four ? 0 : pseudoHeaderSum(frame, ip, 8 + quoted);
  writeU16BE(frame, icmp + 2, checksum(frame, icmp, frame.length, pseudo));
  return frame;
}

/** Sources are told apart by a hash into this many buckets: fixed memory, and a noisy pod shares with few. */
const LIMITER_BUCKETS = 256;
/** Errors per second and at once to one bucket of sources. */
const ERRORS_PER_SECOND = 20;
const ERROR_BURST = 20;
/** The same over all sources, as Linux's icmp_msgs_per_sec. */
const ALL_ERRORS_PER_SECOND = 1000;
const ALL_ERRORS_BURST = 200;

/** How many ICMP errors may be made (RFC 4443 §2.4 (f)): token buckets per hash of the source, and one over all. */
export class IcmpLimiter {
  readonly #tokens = new Float64Array(LIMITER_BUCKETS).fill(ERROR_BURST);
  readonly #filledAt = new Float64Array(LIMITER_BUCKETS);
  readonly #all = new TokenBucket(ALL_ERRORS_BURST, ALL_ERRORS_PER_SECOND);

  /** Whether one more error about a packet of this source may go out; takes a token if so. */
  accept(bytes: Uint8Array, ip: IpPacket, now: Instant): boolean {
    const end = destinationAt(ip);
    const low = readU32BE(bytes, end - 4);
    const high = ip.family === 4 ? 0 : readU32BE(bytes, end - 8);
    const bucket = (Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 24) % LIMITER_BUCKETS;
    const gained = ((now - this.#filledAt[bucket]!) * ERRORS_PER_SECOND) / 1000;
    const tokens = Math.min(ERROR_BURST, this.#tokens[bucket]! + Math.max(0, gained));
    this.#tokens[bucket] = tokens;
    this.#filledAt[bucket] = now;
    if (tokens < 1 || !this.#all.take(now)) return false;
    this.#tokens[bucket] = tokens - 1;
    return true;
  }
}

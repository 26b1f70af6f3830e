import { writeU16BE } from '../../base/bytes.ts';
import { type IpPacket, PROTOCOL_UDP } from './ip-packet.ts';

/**
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words.
 *
 * Sums here are *unfolded*: 32-bit unsigned numbers whose carries still stand in the upper half, so that parts
 * can be added before one fold at the end. 65,535 bytes add less than 2^31, so a sum of a whole packet and a
 * folded start never overflows.
 */

/** Adds the bytes [from, to) to `initial` as big-endian 16-bit words, a last odd byte padded with zero. */
export function sumWords(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  let sum = initial | 0;
  const even = from + ((to - from) & ~1);
  let at = from;
  // Four words a turn: a packet's payload is the one long loop of the data path.
  for (const stop = even - 6; at < stop; at += 8) {
    sum =
      (sum +
        ((bytes[at]! << 8) | bytes[at + 1]!) +
        ((bytes[at + 2]! << 8) | bytes[at + 3]!) +
        ((bytes[at + 4]! << 8) | bytes[at + 5]!) +
        ((bytes[at + 6]! << 8) | bytes[at + 7]!)) |
      0;
  }
  for (; at < even; at += 2) sum = (sum + ((bytes[at]! << 8) | bytes[at + 1]!)) | 0;
  if (even !== to) sum = (sum + (bytes[even]! << 8)) | 0;
  return sum >>> 0;
}

/** Folds an unfolded sum into 16 bits. */
export function foldSum(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/** The checksum of the bytes [from, to): what the field must hold that was zero while it was computed. */
export function checksum(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  return ~foldSum(sumWords(bytes, from, to, initial)) & 0xffff;
}

/**
 * Unfolded sum of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1) of `ip` in `bytes`: both addresses, protocol,
 * and `transportLength` bytes from the transport header on.
 */
export function pseudoHeaderSum(bytes: Uint8Array, ip: IpPacket, transportLength: number): number {
  const addresses = ip.family === 4 ? ip.start + 12 : ip.start + 8;
  const sum = sumWords(bytes, addresses, addresses + (ip.family === 4 ? 8 : 32));
  return sum + ip.protocol + transportLength;
}

/** Computes the IPv4 header checksum of the header at `start` anew. */
export function writeIpv4Checksum(bytes: Uint8Array, start: number, headerLength: number): void {
  bytes[start + 10] = 0;
  bytes[start + 11] = 0;
  writeU16BE(bytes, start + 10, checksum(bytes, start, start + headerLength));
}

/**
 * Completes a "partial" checksum: the field at `start + offset` holds the folded sum of the pseudo header and
 * becomes the checksum of [start, end). `protocol` decides whether a zero is written as 0xffff (UDP, RFC 768).
 */
export function completeChecksum(
  bytes: Uint8Array,
  start: number,
  offset: number,
  end: number,
  protocol: number,
): void {
  const sum = checksum(bytes, start, end);
  writeU16BE(bytes, start + offset, sum === 0 && protocol === PROTOCOL_UDP ? 0xffff : sum);
}

/** Whether the complete transport checksum of `ip` is right. The caller rules out "none" (UDP over IPv4, zero). */
export function transportChecksumHolds(bytes: Uint8Array, ip: IpPacket): boolean {
  const end = ip.start + ip.length;
  const pseudo = pseudoHeaderSum(bytes, ip, end - ip.transport);
  return foldSum(sumWords(bytes, ip.transport, end, pseudo)) === 0xffff;
}

/** Writes the folded pseudo header sum into the field at `at`: a partial checksum. */
export function writePartialChecksum(
  bytes: Uint8Array,
  at: number,
  ip: IpPacket,
  transportLength: number,
): void {
  writeU16BE(bytes, at, foldSum(pseudoHeaderSum(bytes, ip, transportLength)));
}

import { readU16BE, writeU16BE } from '../../base/bytes.ts';
import type { IpPacket } from './ip-packet.ts';

/**
 * DSCP and ECN across a tunnel. The byte that holds both is IPv4's type of service and IPv6's traffic class:
 *
 * ```
 * | DSCP 6 bits | ECN 2 bits |     ECN: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE (congestion experienced)
 * ```
 *
 * On the way in the outer header gets the inner one's byte, so that the network treats the tunnel's packets as it would
 * treat those within, and may mark them instead of dropping them. On the way out marks of the outer header are taken
 * over (RFC 6040 §4.2); the inner DSCP stays (RFC 2983 §3.1, pipe model).
 */

const ECN = 3;
const NOT_ECT = 0;
const ECT_1 = 1;
const CE = 3;

/** The byte of DSCP and ECN of the IP packet at `at`. */
export function tosAt(bytes: Uint8Array, at: number): number {
  if (bytes[at]! >> 4 === 4) return bytes[at + 1]!;
  return ((bytes[at]! & 15) << 4) | (bytes[at + 1]! >> 4);
}

/**
 * The byte for the outer header of a packet with `inner` (RFC 6040 §4.1): the same in normal mode, that is where the
 * tunnel's far end takes over marks (`marksTaken`). Else Not-ECT, its compatibility mode, so that the network drops
 * where it would have set a mark that nobody sees.
 */
export function outerTos(inner: number, marksTaken: boolean): number {
  return marksTaken ? inner : inner & ~ECN;
}

/**
 * Takes over the ECN field of an outer header with `outer` into the IP packet `ip` in `bytes` (RFC 6040 §4.2). False:
 * the packet must be dropped, for the network says "congestion" and its sender would not understand.
 */
export function takeMarks(bytes: Uint8Array, ip: IpPacket, outer: number): boolean {
  const inner = tosAt(bytes, ip.start);
  const innerEcn = inner & ECN;
  const outerEcn = outer & ECN;
  if (innerEcn === NOT_ECT) return outerEcn !== CE;
  // ECT(0) becomes ECT(1) where the network uses that for a mark of its own; CE is never taken back.
  if (innerEcn === CE || (outerEcn !== CE && outerEcn !== ECT_1) || outerEcn === innerEcn) return true;
  writeTos(bytes, ip, (inner & ~ECN) | outerEcn);
  return true;
}

/** Replaces the byte, in IPv4 with the header's checksum counted on (RFC 1624): one that was wrong stays so. */
function writeTos(bytes: Uint8Array, { family, start }: IpPacket, tos: number): void {
  if (family === 6) {
    bytes[start] = (bytes[start]! & 0xf0) | (tos >> 4);
    bytes[start + 1] = ((tos & 15) << 4) | (bytes[start + 1]! & 15);
    return;
  }
  const before = readU16BE(bytes, start);
  bytes[start + 1] = tos;
  let sum = (~readU16BE(bytes, start + 10) & 0xffff) + (~before & 0xffff) + readU16BE(bytes, start);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  writeU16BE(bytes, start + 10, ~sum & 0xffff);
}

import { assert } from '../../base/assert.ts';
import { readU16BE, writeU16BE } from '../../base/bytes.ts';
import { writeIpv4Checksum } from './checksum.ts';
import type { IpPacket } from './ip-packet.ts';

const MORE_FRAGMENTS = 0x2000;
/** An option with this bit is repeated in every fragment (RFC 791 §3.1). */
const COPIED_OPTION = 0x80;

/** The smallest MTU every IPv4 link has (RFC 791 §3.2): below it a fragment might carry nothing. */
export const MIN_IPV4_MTU = 68;

/**
 * Cuts an IPv4 packet without DF into fragments of at most `mtu` bytes (RFC 791 §3.2) and hands each to `emit`, which
 * reads it before it returns: all use the same bytes. Fragments of fragments keep their place in the whole. The
 * transport checksum must be complete. Requires mtu ≥ {@link MIN_IPV4_MTU}.
 */
export function fragmentIpv4(
  bytes: Uint8Array,
  ip: IpPacket,
  mtu: number,
  emit: (fragment: Uint8Array) => void,
): void {
  assert(mtu >= MIN_IPV4_MTU && ip.family === 4 && !ip.dontFragment, 'a packet that may be fragmented');
  const end = ip.start + ip.length;
  const flagsAndOffset = readU16BE(bytes, ip.start + 6);
  const scratch = new Uint8Array(mtu);
  scratch.set(bytes.subarray(ip.start, ip.transport));
  let headerLength = ip.transport - ip.start;
  let offset = flagsAndOffset & 0x1fff;
  for (let at = ip.transport; at < end; ) {
    const payload = Math.min((mtu - headerLength) & ~7, end - at);
    const last = at + payload === end;
    writeU16BE(scratch, 2, headerLength + payload);
    // The last fragment of a fragment that was not the last has more behind it as well.
    writeU16BE(scratch, 6, offset | (last ? flagsAndOffset & MORE_FRAGMENTS : MORE_FRAGMENTS));
    scratch.set(bytes.subarray(at, at + payload), headerLength);
    writeIpv4Checksum(scratch, 0, headerLength);
    emit(scratch.subarray(0, headerLength + payload));
    at += payload;
    offset += payload >> 3;
    if (headerLength > 20 && at - payload === ip.transport)
      headerLength = keepCopiedOptions(scratch, headerLength);
  }
}

/** Reduces the options of the header in `header` to the copied ones, padded to words; the new header length. */
function keepCopiedOptions(header: Uint8Array, headerLength: number): number {
  let to = 20;
  for (let at = 20; at < headerLength; ) {
    const type = header[at]!;
    if (type === 0) break;
    const length = type === 1 ? 1 : header[at + 1]!;
    if (type & COPIED_OPTION) {
      header.copyWithin(to, at, at + length);
      to += length;
    }
    at += length;
  }
  while (to % 4 !== 0) header[to++] = 0; // end of list
  header[0] = 0x40 | (to / 4);
  return to;
}

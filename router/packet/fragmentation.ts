import { assert } from '../../base/assert.ts';
import { readU16BE, writeU16BE, writeU32BE } from '../../base/bytes.ts';
import { writeIpv4Checksum } from './checksum.ts';
import { type IpPacket, PROTOCOL_FRAGMENT, PROTOCOL_HOP_BY_HOP } from './ip-packet.ts';

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

const IPV6_HEADER_LENGTH = 40;
const FRAGMENT_HEADER_LENGTH = 8;
/** The flag of IPv6 that more fragments follow. */
const MORE_FRAGMENTS_6 = 1;

/**
 * Cuts an IPv6 packet into fragments of at most `mtu` bytes (RFC 8200 §4.5) and hands each to `emit`, which reads it before
 * it returns: all use the same bytes. What is a fragment already is cut further, and keeps its place and its name. The transport
 * checksum must be complete. Returns false, and emits nothing, where the headers leave no room or hide a fragment header.
 *
 * Routers do not fragment IPv6; but a link that carries less than 1280 bytes has to carry 1280 in pieces (RFC 8200 §5), and
 * the tunnel is such a link where its path is narrow. Pieces that are whole IPv6 packets need nothing of the far end's tunnel: the
 * kernel there puts them together.
 *
 * @param identification 32 bits, another one for each packet between the same addresses within a minute.
 */
export function fragmentIpv6(
  bytes: Uint8Array,
  ip: IpPacket,
  { mtu, identification }: { readonly mtu: number; readonly identification: number },
  emit: (fragment: Uint8Array) => void,
): boolean {
  assert(ip.family === 6, 'an IPv6 packet');
  const { start } = ip;
  const end = start + ip.length;
  // Behind it comes what is cut: only hop-by-hop options are in front of it, for other kinds are denied or are cut.
  let nextAt = start + 6;
  let from = start + IPV6_HEADER_LENGTH;
  if (bytes[nextAt] === PROTOCOL_HOP_BY_HOP) {
    nextAt = from;
    from += (bytes[from + 1]! + 1) * 8;
  }
  const again = bytes[nextAt] === PROTOCOL_FRAGMENT;
  if (ip.fragment !== again) return false;
  const headLength = from - start + FRAGMENT_HEADER_LENGTH;
  const room = (mtu - headLength) & ~7;
  if (room <= 0) return false;
  const scratch = new Uint8Array(headLength + room);
  scratch.set(bytes.subarray(start, again ? from + FRAGMENT_HEADER_LENGTH : from));
  const headerAt = from - start;
  if (!again) {
    scratch[headerAt] = bytes[nextAt]!;
    scratch[nextAt - start] = PROTOCOL_FRAGMENT;
    writeU32BE(scratch, headerAt + 4, identification);
  }
  // The offset counts units of 8 bytes, above three bits: so it is the number of bytes.
  const place = again ? readU16BE(bytes, from + 2) : 0;
  const cutFrom = again ? from + FRAGMENT_HEADER_LENGTH : from;
  for (let at = cutFrom; at < end; ) {
    const length = Math.min(room, end - at);
    const last = at + length === end;
    const more = last ? place & MORE_FRAGMENTS_6 : MORE_FRAGMENTS_6;
    writeU16BE(scratch, headerAt + 2, ((place & ~7) + (at - cutFrom)) | more);
    writeU16BE(scratch, 4, headLength - IPV6_HEADER_LENGTH + length);
    scratch.set(bytes.subarray(at, at + length), headLength);
    emit(scratch.subarray(0, headLength + length));
    at += length;
  }
  return true;
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

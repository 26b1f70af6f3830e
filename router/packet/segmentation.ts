import { readU16BE, readU32BE, writeU16BE, writeU32BE } from '../../base/bytes.ts';
import { foldSum, pseudoHeaderSum, writeIpv4Checksum } from './checksum.ts';
import { type IpPacket, PROTOCOL_TCP, PROTOCOL_UDP } from './ip-packet.ts';
import { GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP_L4, VNET_NEEDS_CSUM, type VnetHeader } from './vnet-header.ts';

/** Why a super-packet cannot be cut; it is dropped. */
export type SegmentationFault = 'gsoType' | 'gsoFragment' | 'gsoChecksum' | 'gsoSize';

/** Offset of the checksum in a TCP and in a UDP header. */
export const TCP_CHECKSUM = 16;
export const UDP_CHECKSUM = 6;

const TCP_FIN = 0x01;
export const TCP_PSH = 0x08;
export const TCP_CWR = 0x80;

/** One super-packet becomes at most this many: 65,535 bytes at TCP's smallest segment of 48 bytes. */
const MAX_SEGMENTS = 1366;

/**
 * Cuts a super-packet of the kernel (TSO, USO) into the packets that the network sees.
 *
 * Every segment repeats the headers with their lengths, and IPv4 identification and TCP sequence number counted on
 * (RFC 6864 wants the identification unique where a packet may be fragmented). FIN and PSH stay on the last segment
 * only, CWR on the first only (RFC 3168 §6.1.2). Transport checksums are left *partial*: the field holds the
 * pseudo header's sum for the segment's length, which whoever delivers it completes.
 *
 * `VnetHeader.headerLength` is never used: it is wrong for packets the host forwards, so the TCP data offset counts.
 *
 * One instance is used for one super-packet after the other and allocates nothing but views.
 */
export class Segmenter {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Where the payload begins, and where its next segment does. */
  #payload = 0;
  #at = 0;
  #gsoSize = 1;
  #family: 4 | 6 = 4;
  #udp = false;
  /** Sum of the pseudo header without the length. */
  #pseudo = 0;

  /** Offset of the transport header in each segment, and of the checksum from it: partial in every segment. */
  csumStart = 0;
  csumOffset = 0;

  /** Takes up the super-packet `ip` in `bytes`, which stay untouched until the last segment is made. */
  begin(bytes: Uint8Array, ip: IpPacket, header: VnetHeader): SegmentationFault | undefined {
    const type = header.gsoType & ~GSO_ECN;
    const udp = type === GSO_UDP_L4 && ip.protocol === PROTOCOL_UDP;
    const tcp = type === (ip.family === 4 ? GSO_TCP4 : GSO_TCP6) && ip.protocol === PROTOCOL_TCP;
    if (!udp && !tcp) return 'gsoType';
    if (ip.fragment) return 'gsoFragment';
    const csumOffset = udp ? UDP_CHECKSUM : TCP_CHECKSUM;
    const csumStart = ip.transport - ip.start;
    const partial = (header.flags & VNET_NEEDS_CSUM) !== 0;
    if (!partial || header.csumStart !== csumStart || header.csumOffset !== csumOffset) return 'gsoChecksum';
    this.#payload = ip.transport + (udp ? 8 : (bytes[ip.transport + 12]! >> 4) * 4);
    this.#end = ip.start + ip.length;
    if (header.gsoSize === 0) return 'gsoSize';
    if (this.#end - this.#payload > MAX_SEGMENTS * header.gsoSize) return 'gsoSize';
    this.#bytes = bytes;
    this.#start = ip.start;
    this.#at = this.#payload;
    this.#gsoSize = header.gsoSize;
    this.#family = ip.family;
    this.#udp = udp;
    this.#pseudo = pseudoHeaderSum(bytes, ip, 0);
    this.csumStart = csumStart;
    this.csumOffset = csumOffset;
    return undefined;
  }

  /** Bytes of the largest segment to come, headers included. */
  get largest(): number {
    return this.#payload - this.#start + Math.min(this.#gsoSize, this.#end - this.#payload);
  }

  /**
   * Writes the next segment into `out` at `at`; returns its length, 0 when none is left. A super-packet without
   * payload is one segment.
   */
  next(out: Uint8Array, at: number): number {
    const from = this.#at;
    const first = from === this.#payload;
    if (from >= this.#end && !(first && from === this.#end)) return 0;
    const to = Math.min(from + this.#gsoSize, this.#end);
    const headers = this.#payload - this.#start;
    const bytes = this.#bytes;
    for (let i = 0; i < headers; i++) out[at + i] = bytes[this.#start + i]!;
    out.set(bytes.subarray(from, to), at + headers);
    // Past the end by one where there was no payload, so that the next call ends.
    this.#at = to === from ? to + 1 : to;
    this.#fixHeaders(out, at, headers + to - from, from, to === this.#end);
    return headers + to - from;
  }

  #fixHeaders(out: Uint8Array, at: number, length: number, from: number, last: boolean): void {
    const offset = from - this.#payload;
    const transport = at + this.csumStart;
    if (this.#family === 4) {
      const index = offset / this.#gsoSize;
      writeU16BE(out, at + 2, length);
      writeU16BE(out, at + 4, readU16BE(out, at + 4) + index);
      writeIpv4Checksum(out, at, this.csumStart);
    } else writeU16BE(out, at + 4, length - 40);
    const transportLength = length - this.csumStart;
    if (this.#udp) writeU16BE(out, transport + 4, transportLength);
    else {
      writeU32BE(out, transport + 4, readU32BE(out, transport + 4) + offset);
      if (!last) out[transport + 13] = out[transport + 13]! & ~(TCP_FIN | TCP_PSH);
      if (offset !== 0) out[transport + 13] = out[transport + 13]! & ~TCP_CWR;
    }
    writeU16BE(out, transport + this.csumOffset, foldSum(this.#pseudo + transportLength));
  }
}

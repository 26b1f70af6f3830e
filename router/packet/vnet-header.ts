import { readU16LE, writeU16LE } from '../../base/bytes.ts';

/**
 * The header the kernel puts before each packet of a TUN device opened with IFF_VNET_HDR
 * (`struct virtio_net_hdr`, virtio 1.2 §5.1.6, without num_buffers). In the byte order of the machine, which is
 * little endian on every machine we build for.
 *
 * ```
 * 0       1          2         4          6            8             10
 * | flags | gso type | hdr len | gso size | csum start | csum offset | IP packet …
 * ```
 *
 * One object is filled again and again: the hot path allocates none.
 */
export interface VnetHeader {
  flags: number;
  gsoType: number;
  /** Length of all headers of a super-packet. Wrong for forwarded packets: never trusted on reading. */
  headerLength: number;
  /** Payload bytes of each segment but the last. */
  gsoSize: number;
  /** Offset in the IP packet where the checksummed part begins. */
  csumStart: number;
  /** Offset of the checksum field from `csumStart`. */
  csumOffset: number;
}

export const VNET_HEADER_LENGTH = 10;

/** In `flags`: the checksum field holds only the sum of the pseudo header; whoever sends on completes it. */
export const VNET_NEEDS_CSUM = 1;

export const GSO_NONE = 0;
export const GSO_TCP4 = 1;
export const GSO_TCP6 = 4;
/** UDP segmentation as UDP_SEGMENT does it (USO, kernel 6.2): every segment is a datagram of its own. */
export const GSO_UDP_L4 = 5;
/** Or-ed to a TCP type when the first segment carries CWR (RFC 3168). */
export const GSO_ECN = 0x80;

/** A header to read into, again and again: no offload. */
export function emptyVnetHeader(): VnetHeader {
  return { flags: 0, gsoType: GSO_NONE, headerLength: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 };
}

/** Fills `into` from the 10 bytes at `at`. The caller has checked that they are there. */
export function readVnetHeader(bytes: Uint8Array, at: number, into: VnetHeader): void {
  into.flags = bytes[at]!;
  into.gsoType = bytes[at + 1]!;
  into.headerLength = readU16LE(bytes, at + 2);
  into.gsoSize = readU16LE(bytes, at + 4);
  into.csumStart = readU16LE(bytes, at + 6);
  into.csumOffset = readU16LE(bytes, at + 8);
}

/** Writes the 10 bytes of `header` at `at`. */
export function writeVnetHeader(bytes: Uint8Array, at: number, header: VnetHeader): void {
  bytes[at] = header.flags;
  bytes[at + 1] = header.gsoType;
  writeU16LE(bytes, at + 2, header.headerLength);
  writeU16LE(bytes, at + 4, header.gsoSize);
  writeU16LE(bytes, at + 6, header.csumStart);
  writeU16LE(bytes, at + 8, header.csumOffset);
}

/** The header of one packet that is no super-packet: `csumStart` 0 says that its checksum is complete. */
export function writePlainVnetHeader(
  bytes: Uint8Array,
  at: number,
  csumStart: number,
  csumOffset: number,
): void {
  bytes[at] = csumStart === 0 ? 0 : VNET_NEEDS_CSUM;
  bytes[at + 1] = GSO_NONE;
  bytes[at + 2] = 0;
  bytes[at + 3] = 0;
  bytes[at + 4] = 0;
  bytes[at + 5] = 0;
  writeU16LE(bytes, at + 6, csumStart);
  writeU16LE(bytes, at + 8, csumStart === 0 ? 0 : csumOffset);
}

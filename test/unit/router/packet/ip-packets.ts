import assert from 'node:assert/strict';
import { addressBytes, parseAddress } from '../../../../base/address.ts';
import { concat, writeU16BE, writeU32BE } from '../../../../base/bytes.ts';
import { emptyIpPacket, type IpPacket, parseIpPacket } from '../../../../router/packet/ip-packet.ts';
import {
  emptyVnetHeader,
  VNET_HEADER_LENGTH,
  type VnetHeader,
  writeVnetHeader,
} from '../../../../router/packet/vnet-header.ts';

/** Builders of test packets. Checksums are computed by the naive model below, never by the code under test. */

export interface IpFields {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  /** Flags and offset of IPv4 as they stand in the header, in place of `dontFragment`. */
  readonly flagsAndOffset?: number;
  readonly tos?: number;
  readonly ttl?: number;
  readonly options?: Uint8Array;
  readonly flowLabel?: number;
}

/** RFC 1071 as its text says: add 16-bit words, add the carries back, complement. */
export function naiveChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

export function addressOf(text: string): Uint8Array {
  return addressBytes(parseAddress(text)!);
}

export function ipPacket(fields: IpFields, payload: Uint8Array): Uint8Array {
  const source = addressOf(fields.source);
  const destination = addressOf(fields.destination);
  if (source.length === 4) {
    const options = fields.options ?? new Uint8Array(0);
    const header = new Uint8Array(20 + options.length);
    header[0] = 0x40 | (header.length / 4);
    header[1] = fields.tos ?? 0;
    writeU16BE(header, 2, header.length + payload.length);
    writeU16BE(header, 4, fields.id ?? 0);
    writeU16BE(header, 6, fields.flagsAndOffset ?? ((fields.dontFragment ?? true) ? 0x4000 : 0));
    header[8] = fields.ttl ?? 64;
    header[9] = fields.protocol ?? 17;
    header.set(source, 12);
    header.set(destination, 16);
    header.set(options, 20);
    writeU16BE(header, 10, naiveChecksum(header));
    return concat(header, payload);
  }
  const header = new Uint8Array(40);
  writeU32BE(header, 0, (0x60000000 | ((fields.tos ?? 0) << 20) | (fields.flowLabel ?? 0)) >>> 0);
  writeU16BE(header, 4, payload.length);
  header[6] = fields.protocol ?? 17;
  header[7] = fields.ttl ?? 64;
  header.set(source, 8);
  header.set(destination, 24);
  return concat(header, payload);
}

export interface TcpFields extends IpFields {
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  /** Whole words. */
  readonly tcpOptions?: Uint8Array;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Leave only the pseudo header's sum in the checksum field. */
  readonly partial?: boolean;
}

export function tcpPacket(fields: TcpFields, payload: Uint8Array): Uint8Array {
  const options = fields.tcpOptions ?? new Uint8Array(0);
  const segment = new Uint8Array(20 + options.length + payload.length);
  writeU16BE(segment, 0, fields.sourcePort ?? 40000);
  writeU16BE(segment, 2, fields.destinationPort ?? 80);
  writeU32BE(segment, 4, fields.sequence ?? 1);
  writeU32BE(segment, 8, fields.acknowledgement ?? 7);
  segment[12] = ((20 + options.length) / 4) << 4;
  segment[13] = fields.flags ?? 0x10;
  writeU16BE(segment, 14, fields.window ?? 512);
  segment.set(options, 20);
  segment.set(payload, 20 + options.length);
  writeTransportChecksum(segment, 16, fields, 6, fields.partial ?? false);
  return ipPacket({ ...fields, protocol: 6 }, segment);
}

export interface UdpFields extends IpFields {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly partial?: boolean;
}

export function udpPacket(fields: UdpFields, payload: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(8 + payload.length);
  writeU16BE(datagram, 0, fields.sourcePort ?? 5353);
  writeU16BE(datagram, 2, fields.destinationPort ?? 5354);
  writeU16BE(datagram, 4, datagram.length);
  datagram.set(payload, 8);
  writeTransportChecksum(datagram, 6, fields, 17, fields.partial ?? false);
  return ipPacket({ ...fields, protocol: 17 }, datagram);
}

/** The pseudo header of RFC 9293 §3.1 and RFC 8200 §8.1, as bytes. */
export function pseudoHeader(
  source: string,
  destination: string,
  protocol: number,
  length: number,
): Uint8Array {
  const a = addressOf(source);
  const tail = new Uint8Array(a.length === 4 ? 4 : 8);
  tail[tail.length === 4 ? 1 : 7] = protocol;
  writeU16BE(tail, 2, length);
  return concat(a, addressOf(destination), tail);
}

function writeTransportChecksum(
  segment: Uint8Array,
  at: number,
  fields: IpFields,
  protocol: number,
  partial: boolean,
): void {
  const pseudo = pseudoHeader(fields.source, fields.destination, protocol, segment.length);
  const sum = naiveChecksum(partial ? pseudo : concat(pseudo, segment));
  const complete = sum === 0 && protocol === 17 ? 0xffff : sum;
  writeU16BE(segment, at, partial ? 0xffff - sum : complete);
}

/** Whether every checksum of a TCP, UDP or ICMP packet (no extension headers) is right, by the naive model. */
export function checksumsHold(packet: Uint8Array): boolean {
  const ip = parsed(packet);
  if (ip.family === 4 && naiveChecksum(packet.subarray(0, ip.transport)) !== 0) return false;
  const segment = packet.subarray(ip.transport);
  if (ip.protocol === 1) return naiveChecksum(segment) === 0;
  const addresses = ip.family === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  const tail = new Uint8Array(4);
  tail[1] = ip.protocol;
  writeU16BE(tail, 2, segment.length);
  return naiveChecksum(concat(addresses, tail, segment)) === 0;
}

export function parsed(packet: Uint8Array): IpPacket {
  const ip = emptyIpPacket();
  assert.equal(parseIpPacket(packet, 0, packet.length, ip), undefined);
  return ip;
}

export function frameOf(packet: Uint8Array, header: Partial<VnetHeader> = {}): Uint8Array {
  const frame = new Uint8Array(VNET_HEADER_LENGTH + packet.length);
  writeVnetHeader(frame, 0, { ...emptyVnetHeader(), ...header });
  frame.set(packet, VNET_HEADER_LENGTH);
  return frame;
}

/** `length` bytes that count up from `first`, so that a byte out of place shows. */
export function pattern(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i * 7 + (i >> 8)) & 255);
}

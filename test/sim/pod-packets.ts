import { type Address, addressBytes, addressFromBytes } from '../../base/address.ts';
import { concat, readU16BE, readU32BE, writeU16BE, writeU32BE } from '../../base/bytes.ts';
import { VNET_HEADER_LENGTH, VNET_NEEDS_CSUM } from '../../router/packet/vnet-header.ts';

/** What a pod says to another: a canary to be looked for on the wire, and a number to know it again by. */
export interface PodPacket {
  readonly source: Address;
  readonly destination: Address;
  readonly id: number;
  /** Whether both checksums are right, or left to the receiving kernel as the header says. */
  readonly intact: boolean;
}

const UDP = 17;
const UDP_HEADER = 8;

/** A frame as a TUN gives it: an empty vnet header, then a UDP packet of IPv4 or IPv6. */
export function podFrame(
  source: Address,
  destination: Address,
  canary: Uint8Array,
  id: number,
  filler = 0,
): Uint8Array {
  const payload = new Uint8Array(canary.length + 4 + filler);
  payload.set(canary);
  writeU32BE(payload, canary.length, id);
  payload.fill(0x2e, canary.length + 4);
  const udp = new Uint8Array(UDP_HEADER + payload.length);
  writeU16BE(udp, 0, 4000);
  writeU16BE(udp, 2, 4001);
  writeU16BE(udp, 4, udp.length);
  udp.set(payload, UDP_HEADER);
  const sum = 0xffff - onesSum(pseudoHeader(source, destination, udp.length), udp);
  writeU16BE(udp, 6, sum === 0 ? 0xffff : sum);
  return concat(new Uint8Array(VNET_HEADER_LENGTH), ipHeader(source, destination, udp.length), udp);
}

/** Reads a frame that came out of the tunnels; undefined where it is none of ours (an ICMP error). */
export function readPodFrame(frame: Uint8Array, canary: Uint8Array): PodPacket | undefined {
  const packet = frame.subarray(VNET_HEADER_LENGTH);
  const v4 = packet[0]! >> 4 === 4;
  const headerLength = v4 ? 20 : 40;
  if (packet[v4 ? 9 : 6] !== UDP || packet.length < headerLength + UDP_HEADER + canary.length + 4)
    return undefined;
  const source = addressFromBytes(v4 ? packet.slice(12, 16) : packet.slice(8, 24))!;
  const destination = addressFromBytes(v4 ? packet.slice(16, 20) : packet.slice(24, 40))!;
  const udp = packet.subarray(headerLength);
  const payload = udp.subarray(UDP_HEADER);
  if (!canary.every((byte, i) => payload[i] === byte)) return undefined;
  const partial = (frame[0]! & VNET_NEEDS_CSUM) !== 0;
  const whole = onesSum(pseudoHeader(source, destination, udp.length), udp) === 0xffff;
  const intact =
    readU16BE(udp, 4) === udp.length &&
    (partial || whole) &&
    (!v4 || onesSum(packet.subarray(0, 20)) === 0xffff);
  return { source, destination, id: readU32BE(payload, canary.length), intact };
}

function ipHeader(source: Address, destination: Address, length: number): Uint8Array {
  if (source.family === 4) {
    const header = new Uint8Array(20);
    header[0] = 0x45;
    writeU16BE(header, 2, 20 + length);
    header[6] = 0x40;
    header[8] = 64;
    header[9] = UDP;
    header.set(addressBytes(source), 12);
    header.set(addressBytes(destination), 16);
    writeU16BE(header, 10, 0xffff - onesSum(header));
    return header;
  }
  const header = new Uint8Array(40);
  header[0] = 0x60;
  writeU16BE(header, 4, length);
  header[6] = UDP;
  header[7] = 64;
  header.set(addressBytes(source), 8);
  header.set(addressBytes(destination), 24);
  return header;
}

function pseudoHeader(source: Address, destination: Address, length: number): Uint8Array {
  const tail = new Uint8Array(4);
  tail[1] = UDP;
  writeU16BE(tail, 2, length);
  return concat(addressBytes(source), addressBytes(destination), tail);
}

/** RFC 1071 as its text says: the ones' complement sum of all 16-bit words. */
function onesSum(...parts: readonly Uint8Array[]): number {
  const bytes = concat(...parts);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

import { type Address, addressFromBytes } from '../base/address.ts';
import { readU16BE } from '../base/bytes.ts';

/** Whose packet it is, as far as its headers say. */
interface DeniedPacket {
  readonly source: Address;
  readonly destination: Address;
  /** `TCP`, `UDP`, `SCTP`, `ICMP`, or the number of another protocol. */
  readonly protocol: string;
  /** Undefined where the protocol has none, or the packet was cut before it. */
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}

const NAME_BY_PROTOCOL: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMP',
  132: 'SCTP',
};
const WITH_PORTS = ['TCP', 'UDP', 'SCTP'];

/** Reads a packet from its IP header on. Headers that follow an IPv6 header but hold no port are not looked behind. */
export function readDeniedPacket(packet: Uint8Array): DeniedPacket | undefined {
  const version = packet.length === 0 ? 0 : packet[0]! >> 4;
  if (version === 4 && packet.length >= 20) {
    const isFirst = (readU16BE(packet, 6) & 0x1fff) === 0;
    const rest = isFirst ? packet.subarray((packet[0]! & 0x0f) * 4) : new Uint8Array();
    return read(packet.subarray(12, 16), packet.subarray(16, 20), packet[9]!, rest);
  }
  if (version === 6 && packet.length >= 40)
    return read(packet.subarray(8, 24), packet.subarray(24, 40), packet[6]!, packet.subarray(40));
  return undefined;
}

function read(source: Uint8Array, destination: Uint8Array, number: number, rest: Uint8Array): DeniedPacket {
  const protocol = NAME_BY_PROTOCOL[number] ?? `protocol ${number}`;
  const hasPorts = WITH_PORTS.includes(protocol) && rest.length >= 4;
  return {
    source: addressFromBytes(source)!,
    destination: addressFromBytes(destination)!,
    protocol,
    sourcePort: hasPorts ? readU16BE(rest, 0) : undefined,
    destinationPort: hasPorts ? readU16BE(rest, 2) : undefined,
  };
}

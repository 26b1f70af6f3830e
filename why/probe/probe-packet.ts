import { addressBytes } from '../../base/address.ts';
import { concat, readU16BE, writeU16BE, writeU32BE } from '../../base/bytes.ts';
import type { ProbeFlow } from './probe-flow.ts';

const HEADER_BYTES = { 4: 20, 6: 40 } as const;
const TTL = 64;
const SYN = 0x02;
/** What Ethernet has room for; the packet rules lower it to what the tunnel has. */
const MSS = 1460;
const DNS_PORT = 53;

/**
 * One packet of a probe, from its IP header on: a SYN (RFC 9293), an echo request (RFC 792, 4443), or a datagram, which is
 * empty but for port 53, where it asks for the name servers of the root (RFC 1035).
 *
 * @param sequence of TCP: random.
 * @param bytes length of the whole packet, which is filled up with zeros; a SYN with data is answered like one without.
 */
export function probePacket(flow: ProbeFlow, sequence: number, bytes = 0): Uint8Array {
  const { source, target, mark } = flow;
  const header = HEADER_BYTES[source.family];
  const start = startOf(flow, sequence);
  const transport = concat(start, new Uint8Array(Math.max(0, bytes - header - start.length)));
  if (flow.protocol === 'UDP') writeU16BE(transport, 4, transport.length);
  const { protocol, checksumAt, isPseudo } = CHECKSUMS[`${flow.protocol}${source.family}`];
  const addresses = concat(addressBytes(source), addressBytes(target));
  const pseudo = isPseudo ? sumWords(addresses) + protocol + transport.length : 0;
  // A sum of zero would say that a datagram has none (RFC 768).
  writeU16BE(transport, checksumAt, fold(sumWords(transport) + pseudo) || 0xffff);
  const ip = new Uint8Array(header);
  if (source.family === 4) {
    ip[0] = 0x45;
    writeU16BE(ip, 2, header + transport.length);
    writeU16BE(ip, 4, mark);
    ip[6] = 0x40; // don't fragment
    ip[8] = TTL;
    ip[9] = protocol;
    ip.set(addresses, 12);
    writeU16BE(ip, 10, fold(sumWords(ip)));
  } else {
    writeU32BE(ip, 0, 0x60000000 | mark);
    writeU16BE(ip, 4, transport.length);
    ip[6] = protocol;
    ip[7] = TTL;
    ip.set(addresses, 8);
  }
  return concat(ip, transport);
}

const CHECKSUMS = {
  TCP4: { protocol: 6, checksumAt: 16, isPseudo: true },
  TCP6: { protocol: 6, checksumAt: 16, isPseudo: true },
  UDP4: { protocol: 17, checksumAt: 6, isPseudo: true },
  UDP6: { protocol: 17, checksumAt: 6, isPseudo: true },
  ICMP4: { protocol: 1, checksumAt: 2, isPseudo: false },
  ICMP6: { protocol: 58, checksumAt: 2, isPseudo: true },
} as const;

/** The transport header and what it asks, its checksum zero. */
function startOf({ protocol, source, mark, port }: ProbeFlow, sequence: number): Uint8Array {
  if (protocol === 'TCP') {
    const out = new Uint8Array(24);
    writeU16BE(out, 0, mark);
    writeU16BE(out, 2, port);
    writeU32BE(out, 4, sequence);
    out[12] = 6 << 4;
    out[13] = SYN;
    writeU16BE(out, 14, 0xffff);
    out.set([2, 4], 20);
    writeU16BE(out, 22, MSS);
    return out;
  }
  if (protocol === 'ICMP') {
    const out = new Uint8Array(16);
    out[0] = source.family === 4 ? 8 : 128;
    writeU16BE(out, 4, mark);
    writeU16BE(out, 6, 1);
    return out;
  }
  const question = port === DNS_PORT ? rootQuestion(mark) : new Uint8Array();
  const out = new Uint8Array(8);
  writeU16BE(out, 0, mark);
  writeU16BE(out, 2, port);
  return concat(out, question);
}

/** `. IN NS` */
function rootQuestion(id: number): Uint8Array {
  const out = new Uint8Array(17);
  writeU16BE(out, 0, id);
  writeU16BE(out, 4, 1);
  writeU16BE(out, 13, 2);
  writeU16BE(out, 15, 1);
  return out;
}

function sumWords(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += readU16BE(bytes, at);
  return bytes.length % 2 === 0 ? sum : sum + (bytes.at(-1)! << 8);
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

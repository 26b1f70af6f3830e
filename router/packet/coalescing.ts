import { readU16BE, readU32BE, writeU16BE } from '../../base/bytes.ts';
import {
  foldSum,
  sumWords,
  transportChecksumHolds,
  writeIpv4Checksum,
  writePartialChecksum,
} from './checksum.ts';
import { emptyIpPacket, type IpPacket, PROTOCOL_TCP, PROTOCOL_UDP } from './ip-packet.ts';
import { TCP_CHECKSUM, TCP_CWR, TCP_PSH, UDP_CHECKSUM } from './segmentation.ts';
import {
  emptyVnetHeader,
  GSO_ECN,
  GSO_TCP4,
  GSO_TCP6,
  GSO_UDP_L4,
  VNET_HEADER_LENGTH,
  VNET_NEEDS_CSUM,
  type VnetHeader,
  writePlainVnetHeader,
  writeVnetHeader,
} from './vnet-header.ts';

/** Flows that may grow super-packets at once within a batch; the oldest makes room. */
const MAX_CHAINS = 8;
/** Packets in one super-packet, as in Linux's GRO and UDP_SEGMENT. */
const MAX_CHAIN_SEGMENTS = 64;
/** An IPv4 total length, and an IPv6 payload length that leaves room for its header, end here. */
const MAX_CHAIN_LENGTH = 65_535;

/** The only flags a TCP packet may carry into a super-packet: ACK, ECE; PSH closes it, CWR may only begin it. */
const TCP_ACK = 0x10;
const TCP_ECE = 0x40;

/**
 * The other way from {@link Segmenter}: puts consecutive packets of one flow, as one batch of the network yields
 * them, into one super-packet, so that the host's stack is walked once and not forty times (GRO).
 *
 * A packet joins when cutting the super-packet would give back exactly these packets: same addresses, ports, ToS,
 * hop limit, flow label, acknowledgement, window and options, the next sequence number, and a payload as long as the
 * first's. A shorter one, or one with PSH, joins and closes. Never in a chain: IP options, extension headers,
 * fragments, SYN, FIN, RST, URG, or a complete checksum that is wrong (joining would make it right).
 * Within a flow the order is kept; between flows it is not.
 *
 * The DF flag set, the IPv4 identification means nothing (RFC 6864 §4.1) and is renumbered; unset, it must count on.
 */
export class Coalescer {
  readonly #deliver: (frame: Uint8Array) => void;
  readonly #tcp: boolean;
  readonly #udp: boolean;
  /** Chains in the order of their first packet; spare ones wait in `#spare`. Buffers are made on first use. */
  readonly #open: Chain[] = [];
  readonly #spare: Chain[] = [];

  /**
   * `deliver` gets frames for the TUN (vnet header, IP packet), valid only during the call. `tcp`, `udp`: whether
   * the kernel takes super-packets of that kind.
   */
  constructor(
    deliver: (frame: Uint8Array) => void,
    options: { readonly tcp: boolean; readonly udp: boolean },
  ) {
    this.#deliver = deliver;
    this.#tcp = options.tcp;
    this.#udp = options.udp;
  }

  /**
   * Takes in one packet. At least {@link VNET_HEADER_LENGTH} bytes before it in `bytes` are overwritten. `csumStart`
   * is 0 where the transport checksum is complete; else the packet is TCP or UDP, `csumStart` its transport offset.
   */
  add(bytes: Uint8Array, ip: IpPacket, csumStart: number): void {
    const enabled = ip.protocol === PROTOCOL_TCP ? this.#tcp : ip.protocol === PROTOCOL_UDP && this.#udp;
    if (!enabled || ip.fragment) {
      // A later fragment has no ports to find its flow by: it overtakes nobody.
      if (ip.fragment) this.flush();
      this.#deliverPlain(bytes, ip, csumStart);
      return;
    }
    const chain = this.#chainOf(bytes, ip);
    const payload = chainablePayload(bytes, ip, csumStart);
    if (chain !== undefined) {
      if (payload > 0 && chain.join(bytes, ip, payload)) {
        if (chain.closed) this.#close(chain);
        return;
      }
      this.#close(chain);
    }
    if (payload > 0 && !hasPush(bytes, ip)) this.#begin(bytes, ip, csumStart, payload);
    else this.#deliverPlain(bytes, ip, csumStart);
  }

  /** Delivers all that is held back. To be called at the end of each batch. */
  flush(): void {
    while (this.#open.length > 0) this.#close(this.#open[0]!);
  }

  #chainOf(bytes: Uint8Array, ip: IpPacket): Chain | undefined {
    for (const chain of this.#open) if (chain.holdsFlowOf(bytes, ip)) return chain;
    return undefined;
  }

  #begin(bytes: Uint8Array, ip: IpPacket, csumStart: number, payload: number): void {
    if (this.#open.length === MAX_CHAINS) this.#close(this.#open[0]!);
    const chain = this.#spare.pop() ?? new Chain();
    chain.begin(bytes, ip, csumStart, payload);
    this.#open.push(chain);
  }

  #close(chain: Chain): void {
    this.#open.splice(this.#open.indexOf(chain), 1);
    this.#spare.push(chain);
    this.#deliver(chain.finish());
  }

  #deliverPlain(bytes: Uint8Array, ip: IpPacket, csumStart: number): void {
    writePlainVnetHeader(bytes, ip.start - VNET_HEADER_LENGTH, csumStart, checksumOffset(ip));
    this.#deliver(bytes.subarray(ip.start - VNET_HEADER_LENGTH, ip.start + ip.length));
  }
}

/** A super-packet in the making: the first packet as it came, and the payloads of those that joined. */
class Chain {
  readonly #buffer = new Uint8Array(VNET_HEADER_LENGTH + MAX_CHAIN_LENGTH);
  readonly #ip = emptyIpPacket();
  readonly #header: VnetHeader = emptyVnetHeader();
  #segments = 0;
  #csumStart = 0;
  /** Payload of every segment but the last. */
  #gsoSize = 0;
  #nextSequence = 0;
  /** Nothing may join any more. */
  closed = false;

  begin(bytes: Uint8Array, ip: IpPacket, csumStart: number, payload: number): void {
    this.#buffer.set(bytes.subarray(ip.start, ip.start + ip.length), VNET_HEADER_LENGTH);
    this.#ip.family = ip.family;
    this.#ip.start = VNET_HEADER_LENGTH;
    this.#ip.length = ip.length;
    this.#ip.transport = VNET_HEADER_LENGTH + (ip.transport - ip.start);
    this.#ip.protocol = ip.protocol;
    this.#segments = 1;
    this.#csumStart = csumStart;
    this.#gsoSize = payload;
    this.#nextSequence = (readU32BE(bytes, ip.transport + 4) + payload) >>> 0;
    this.closed = false;
  }

  /** Same family, protocol, addresses and ports. */
  holdsFlowOf(bytes: Uint8Array, ip: IpPacket): boolean {
    const mine = this.#ip;
    if (mine.family !== ip.family || mine.protocol !== ip.protocol) return false;
    if (readU32BE(this.#buffer, mine.transport) !== readU32BE(bytes, ip.transport)) return false;
    return ip.family === 4 ? this.#same(bytes, ip, 12, 20) : this.#same(bytes, ip, 8, 40);
  }

  /** Appends the packet of this flow if it continues the chain exactly; false leaves the chain as it was. */
  join(bytes: Uint8Array, ip: IpPacket, payload: number): boolean {
    const mine = this.#ip;
    if (payload > this.#gsoSize || this.#segments === MAX_CHAIN_SEGMENTS) return false;
    if (mine.length + payload > MAX_CHAIN_LENGTH) return false;
    if (!this.#continuesIp(bytes, ip)) return false;
    if (ip.protocol === PROTOCOL_TCP && !this.#continuesTcp(bytes, ip)) return false;
    const end = ip.start + ip.length;
    this.#buffer.set(bytes.subarray(end - payload, end), mine.start + mine.length);
    mine.length += payload;
    this.#segments++;
    this.#nextSequence = (this.#nextSequence + payload) >>> 0;
    const push = hasPush(bytes, ip);
    if (push) this.#buffer[mine.transport + 13] = this.#buffer[mine.transport + 13]! | TCP_PSH;
    this.closed = push || payload < this.#gsoSize || this.#segments === MAX_CHAIN_SEGMENTS;
    return true;
  }

  /** The frame, valid until the next {@link begin}. A chain of one is the very packet that came. */
  finish(): Uint8Array {
    const { family, length, transport, protocol, start } = this.#ip;
    const buffer = this.#buffer;
    if (this.#segments === 1) writePlainVnetHeader(buffer, 0, this.#csumStart, checksumOffset(this.#ip));
    else {
      const udp = protocol === PROTOCOL_UDP;
      const transportOffset = transport - start;
      if (family === 4) {
        writeU16BE(buffer, start + 2, length);
        writeIpv4Checksum(buffer, start, transportOffset);
      } else writeU16BE(buffer, start + 4, length - 40);
      if (udp) writeU16BE(buffer, transport + 4, length - transportOffset);
      const offset = checksumOffset(this.#ip);
      writePartialChecksum(buffer, transport + offset, this.#ip, length - transportOffset);
      const header = this.#header;
      const ecn = !udp && (buffer[transport + 13]! & TCP_CWR) !== 0 ? GSO_ECN : 0;
      header.flags = VNET_NEEDS_CSUM;
      header.gsoType = (udp ? GSO_UDP_L4 : family === 4 ? GSO_TCP4 : GSO_TCP6) | ecn;
      header.headerLength = transportOffset + transportHeaderLength(buffer, this.#ip);
      header.gsoSize = this.#gsoSize;
      header.csumStart = transportOffset;
      header.csumOffset = offset;
      writeVnetHeader(buffer, 0, header);
    }
    return buffer.subarray(0, start + length);
  }

  #continuesIp(bytes: Uint8Array, ip: IpPacket): boolean {
    if (ip.family === 6) return this.#same(bytes, ip, 0, 4) && this.#same(bytes, ip, 7, 8);
    if (!this.#same(bytes, ip, 1, 2) || !this.#same(bytes, ip, 6, 9)) return false; // ToS; flags, TTL
    const expected = (readU16BE(this.#buffer, this.#ip.start + 4) + this.#segments) & 0xffff;
    return ip.dontFragment || readU16BE(bytes, ip.start + 4) === expected;
  }

  #continuesTcp(bytes: Uint8Array, ip: IpPacket): boolean {
    const mine = this.#ip.transport;
    const theirs = ip.transport;
    const buffer = this.#buffer;
    if (readU32BE(bytes, theirs + 4) !== this.#nextSequence) return false;
    const flags = bytes[theirs + 13]! & ~TCP_PSH;
    if (flags & TCP_CWR || flags !== (buffer[mine + 13]! & ~(TCP_CWR | TCP_PSH))) return false;
    const headerLength = transportHeaderLength(bytes, ip);
    // Acknowledgement and data offset; window; urgent pointer and options.
    if (readU32BE(buffer, mine + 8) !== readU32BE(bytes, theirs + 8)) return false;
    if (buffer[mine + 12] !== bytes[theirs + 12]) return false;
    if (readU16BE(buffer, mine + 14) !== readU16BE(bytes, theirs + 14)) return false;
    for (let i = 18; i < headerLength; i++) if (buffer[mine + i] !== bytes[theirs + i]) return false;
    return true;
  }

  /** Whether the bytes [from, to) of both IP headers are equal. */
  #same(bytes: Uint8Array, ip: IpPacket, from: number, to: number): boolean {
    const mine = this.#ip.start;
    for (let i = from; i < to; i++) if (this.#buffer[mine + i] !== bytes[ip.start + i]) return false;
    return true;
  }
}

/** Payload of a packet that may be part of a super-packet; 0 for one that may not. */
function chainablePayload(bytes: Uint8Array, ip: IpPacket, csumStart: number): number {
  if (ip.transport - ip.start !== (ip.family === 4 ? 20 : 40)) return 0;
  const length = ip.start + ip.length - ip.transport;
  if (ip.protocol === PROTOCOL_TCP) {
    const flags = bytes[ip.transport + 13]!;
    if ((flags & TCP_ACK) === 0 || flags & ~(TCP_ACK | TCP_ECE | TCP_PSH | TCP_CWR)) return 0;
  } else if (readU16BE(bytes, ip.transport + 4) !== length) return 0;
  const payload = length - transportHeaderLength(bytes, ip);
  if (payload <= 0) return 0;
  // What is rebuilt would be right where the original was wrong, so the original is judged first.
  if (ip.family === 4 && foldSum(sumWords(bytes, ip.start, ip.transport)) !== 0xffff) return 0;
  if (csumStart !== 0) return payload;
  const none = ip.protocol === PROTOCOL_UDP && readU16BE(bytes, ip.transport + UDP_CHECKSUM) === 0;
  return !none && transportChecksumHolds(bytes, ip) ? payload : 0;
}

function transportHeaderLength(bytes: Uint8Array, ip: IpPacket): number {
  return ip.protocol === PROTOCOL_UDP ? 8 : (bytes[ip.transport + 12]! >> 4) * 4;
}

function checksumOffset(ip: IpPacket): number {
  return ip.protocol === PROTOCOL_UDP ? UDP_CHECKSUM : TCP_CHECKSUM;
}

function hasPush(bytes: Uint8Array, ip: IpPacket): boolean {
  return ip.protocol === PROTOCOL_TCP && (bytes[ip.transport + 13]! & TCP_PSH) !== 0;
}

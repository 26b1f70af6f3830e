import { writeU16BE } from '../../../base/bytes.ts';
import { after } from '../../../base/instant.ts';
import { checksum, completeChecksum } from '../../packet/checksum.ts';
import { fragmentIpv4, fragmentIpv6, MIN_IPV4_MTU } from '../../packet/fragmentation.ts';
import { destinationUnreachable, IcmpLimiter, packetTooBig } from '../../packet/icmp.ts';
import {
  destinationAt,
  emptyIpPacket,
  IPV6_MINIMUM_MTU,
  type IpFault,
  type IpPacket,
  isLinkControl,
  isMulticast,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpPacket,
  sourceAt,
} from '../../packet/ip-packet.ts';
import { type SegmentationFault, Segmenter, TCP_CHECKSUM, UDP_CHECKSUM } from '../../packet/segmentation.ts';
import {
  emptyVnetHeader,
  GSO_NONE,
  readVnetHeader,
  VNET_HEADER_LENGTH,
  VNET_NEEDS_CSUM,
} from '../../packet/vnet-header.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import type { SleevePeer } from './sleeve-peer.ts';
import type { SleeveSender } from './sleeve-sender.ts';
import type { SleeveState } from './sleeve-state.ts';

/** The control core is told of packets that wait for one peer at most this often. */
const WANTED_AGAIN_MS = 250;

const DENIED: Readonly<Record<IpFault, DatapathCounter>> = {
  truncated: 'datapath.outTruncated',
  version: 'datapath.outVersion',
  headerLength: 'datapath.outHeaderLength',
  length: 'datapath.outLength',
  options: 'datapath.outOptions',
  sourceRoute: 'datapath.outSourceRoute',
  extensionHeader: 'datapath.outExtensionHeader',
  fragment: 'datapath.outFragment',
  transport: 'datapath.outTransport',
};
const UNCUT: Readonly<Record<SegmentationFault, DatapathCounter>> = {
  gsoType: 'datapath.outGsoType',
  gsoFragment: 'datapath.outGsoFragment',
  gsoChecksum: 'datapath.outGsoChecksum',
  gsoSize: 'datapath.outGsoSize',
};

/**
 * From the TUN to the tunnels: judges a frame once, finds the owner of its destination once, then cuts, checks for
 * size and seals each packet in it.
 *
 * Dropped and counted: what cannot be parsed; groups and link-local control (the TUN is no link); a source that is
 * not ours (a pod that spoofs, or the host forwarding what it should not). Answered with ICMP: a destination that
 * nobody or we ourselves own (local pods are routed before the TUN, so there is no such pod), and what is too big.
 */
export class SleeveOutbound {
  readonly #state: SleeveState;
  readonly #sender: SleeveSender;
  readonly #limiter = new IcmpLimiter();
  readonly #segmenter = new Segmenter();
  readonly #vnet = emptyVnetHeader();
  readonly #ip = emptyIpPacket();
  /** Whom the frame in work is for, once that is known. */
  #peer: SleevePeer | undefined;
  /** Names IPv6 packets that were cut. Only pods of this node send from their addresses, so nobody can guess it to harm. */
  #identification = 0;

  constructor(state: SleeveState, sender: SleeveSender) {
    this.#state = state;
    this.#sender = sender;
  }

  /** Handles one frame of the TUN; `frame` is not kept and not changed. */
  handleFrame(frame: Uint8Array): void {
    this.#peer = undefined;
    const reason = this.#route(frame);
    if (reason !== undefined) this.#state.drop(reason, this.#peer);
  }

  /** Sends what waited for `peer`, in order, if it can be reached now. Stale packets are dropped. */
  flush(peer: SleevePeer): void {
    if (peer.waiting.size === 0 || !this.#sender.canReach(peer)) return;
    this.expire(peer);
    for (const frame of peer.waiting.takeAll()) this.handleFrame(frame);
  }

  /** Drops what waited for too long. */
  expire(peer: SleevePeer): void {
    const expired = peer.waiting.expire(this.#state.now);
    peer.droppedPackets += expired;
    if (expired > 0) this.#state.counters.add('datapath.outWaitedTooLong', expired);
  }

  /** Judges the frame and sends it, or says why not. */
  #route(frame: Uint8Array): DatapathCounter | undefined {
    const { routes, selfOwner } = this.#state;
    const ip = this.#ip;
    if (frame.length <= VNET_HEADER_LENGTH) return 'datapath.outTruncated';
    readVnetHeader(frame, 0, this.#vnet);
    const fault = parseIpPacket(frame, VNET_HEADER_LENGTH, frame.length, ip);
    if (fault !== undefined) return DENIED[fault];
    if (isMulticast(frame, ip)) return 'datapath.outMulticast';
    if (isLinkControl(frame, ip)) return 'datapath.outLinkControl';
    if (routes.ownerIndex(ip.family, frame, sourceAt(ip)) !== selfOwner) return 'datapath.outForeignSource';
    const owner = routes.ownerIndex(ip.family, frame, destinationAt(ip));
    const peer = owner === selfOwner ? undefined : this.#state.peerOfOwner(owner);
    if (peer === undefined) {
      this.#answer(frame, undefined);
      return owner === selfOwner ? 'datapath.outOwnDestination' : 'datapath.outUnknownDestination';
    }
    this.#peer = peer;
    if (!this.#sender.canReach(peer)) return this.#wait(peer, frame);
    return this.#vnet.gsoType === GSO_NONE ? this.#sendPacket(peer, frame) : this.#sendSegments(peer, frame);
  }

  #wait(peer: SleevePeer, frame: Uint8Array): DatapathCounter | undefined {
    const now = this.#state.now;
    this.expire(peer);
    const kept = peer.waiting.add(frame, now);
    if (peer.wantedAt === undefined || now >= after(peer.wantedAt, WANTED_AGAIN_MS)) {
      peer.wantedAt = now;
      this.#state.events?.sessionWanted(peer.id, now);
    }
    return kept ? undefined : 'datapath.outWaitingFull';
  }

  #sendPacket(peer: SleevePeer, frame: Uint8Array): DatapathCounter | undefined {
    const ip = this.#ip;
    if (ip.dontFragment && ip.length > largestTo(peer, ip)) return this.#tooBig(peer, frame);
    const buffer = this.#sender.buffer;
    const at = this.#sender.room();
    buffer.set(frame.subarray(ip.start), at);
    let csumStart = 0;
    let csumOffset = 0;
    if (this.#vnet.flags & VNET_NEEDS_CSUM) {
      csumStart = this.#vnet.csumStart;
      csumOffset = this.#vnet.csumOffset;
      const usual = ip.protocol === PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
      const known = ip.protocol === PROTOCOL_TCP || ip.protocol === PROTOCOL_UDP;
      const transport = csumStart === ip.transport - ip.start && csumOffset === usual;
      // The receiver completes TCP and UDP; anything else, and what does not fit the header's bytes, we do here.
      if (!known || !transport || ip.fragment || csumStart > 255) {
        if (!completeUnusual(buffer, at, ip.length, csumStart, csumOffset)) {
          return 'datapath.outChecksumOffset';
        }
        csumStart = 0;
        csumOffset = 0;
      }
    }
    return this.#sealOrFragment(peer, at, ip.length, csumStart, csumOffset);
  }

  #sendSegments(peer: SleevePeer, frame: Uint8Array): DatapathCounter | undefined {
    const segmenter = this.#segmenter;
    const fault = segmenter.begin(frame, this.#ip, this.#vnet);
    if (fault !== undefined) return UNCUT[fault];
    if (this.#ip.dontFragment && segmenter.largest > largestTo(peer, this.#ip))
      return this.#tooBig(peer, frame);
    const buffer = this.#sender.buffer;
    const protocol = this.#ip.protocol;
    const { csumStart, csumOffset } = segmenter;
    const complete = csumStart > 255;
    for (;;) {
      const at = this.#sender.room();
      const length = segmenter.next(buffer, at);
      if (length === 0) return undefined;
      if (complete) completeChecksum(buffer, at + csumStart, csumOffset, at + length, protocol);
      const reason = this.#sealOrFragment(
        peer,
        at,
        length,
        complete ? 0 : csumStart,
        complete ? 0 : csumOffset,
      );
      if (reason !== undefined) return reason;
    }
  }

  /** Seals the packet at `at` of the sender's buffer, in fragments where it is larger than the path's MTU and may be cut. */
  #sealOrFragment(
    peer: SleevePeer,
    at: number,
    length: number,
    csumStart: number,
    csumOffset: number,
  ): DatapathCounter | undefined {
    if (length <= peer.mtu) {
      return this.#sender.sealIp(peer, length, csumStart, csumOffset) ? undefined : 'datapath.outUnsent';
    }
    const packet = this.#sender.buffer.slice(at, at + length);
    const ip = emptyIpPacket();
    if (parseIpPacket(packet, 0, length, ip) !== undefined) return 'datapath.outTooBig';
    if (csumStart !== 0) completeChecksum(packet, csumStart, csumOffset, length, ip.protocol);
    let sent = true;
    const cut = this.#cut(packet, ip, peer.mtu, (fragment) => {
      this.#sender.buffer.set(fragment, this.#sender.room());
      sent &&= this.#sender.sealIp(peer, fragment.length, 0, 0);
    });
    if (!cut) return 'datapath.outTooBig';
    this.#state.counters.add('datapath.outFragmented');
    return sent ? undefined : 'datapath.outUnsent';
  }

  /** False where it cannot be cut, or may not be; nothing is emitted then. */
  #cut(packet: Uint8Array, ip: IpPacket, mtu: number, emit: (fragment: Uint8Array) => void): boolean {
    if (ip.family === 6) {
      if (ip.length > IPV6_MINIMUM_MTU) return false;
      this.#identification = (this.#identification + 1) >>> 0;
      return fragmentIpv6(packet, ip, { mtu, identification: this.#identification }, emit);
    }
    if (ip.dontFragment || mtu < MIN_IPV4_MTU) return false;
    fragmentIpv4(packet, ip, mtu, emit);
    return true;
  }

  #tooBig(peer: SleevePeer, frame: Uint8Array): DatapathCounter {
    this.#answer(frame, largestTo(peer, this.#ip));
    return 'datapath.outTooBig';
  }

  /** Answers the frame in work with an ICMP error: too big for `mtu`, or without one unreachable. */
  #answer(frame: Uint8Array, mtu: number | undefined): void {
    const ip = this.#ip;
    const error = mtu === undefined ? destinationUnreachable(frame, ip) : packetTooBig(frame, ip, mtu);
    if (error === undefined) return;
    const permitted = this.#limiter.accept(frame, ip, this.#state.now);
    this.#state.counters.add(permitted ? 'datapath.outIcmpSent' : 'datapath.outIcmpLimited');
    if (permitted) this.#state.sink.deliver(error);
  }
}

/**
 * The largest packet that its sender lets nobody cut and that goes to `peer` all the same, bytes. No sender of IPv6 takes word of
 * less than 1280 (RFC 8201 §4), so where a path carries less, packets of up to that size are cut.
 */
function largestTo(peer: SleevePeer, ip: IpPacket): number {
  return ip.family === 6 ? Math.max(peer.mtu, IPV6_MINIMUM_MTU) : peer.mtu;
}

/** Completes a partial checksum at offsets from the kernel in the packet at `at`; false when out of bounds. */
function completeUnusual(
  buffer: Uint8Array,
  at: number,
  length: number,
  csumStart: number,
  csumOffset: number,
): boolean {
  if (csumStart < 20 || csumStart + csumOffset + 2 > length) return false;
  const start = at + csumStart;
  const sum = checksum(buffer, start, at + length);
  writeU16BE(buffer, start + csumOffset, sum === 0 ? 0xffff : sum); // as the kernel's CSUM_MANGLED_0
  return true;
}

import { hex } from '../../../base/bytes.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import { after } from '../../../base/instant.ts';
import { TokenBucket } from '../../../base/token-bucket.ts';
import { Coalescer } from '../../packet/coalescing.ts';
import {
  bodyLength,
  counterOf,
  INNER_HEADER_LENGTH,
  isDataPacket,
  isForeignPacket,
  KIND_CONTROL,
  KIND_IP,
  KIND_KEEPALIVE,
  KIND_RELAY,
  MAX_RELAYS,
  OUTER_HEADER_LENGTH,
  RELAY_ID_LENGTH,
  receiverIndexOf,
  TAG_LENGTH,
} from '../../packet/data-packet.ts';
import { takeMarks } from '../../packet/ecn.ts';
import { quotedAddresses } from '../../packet/icmp.ts';
import {
  destinationAt,
  emptyIpPacket,
  type IpFault,
  isIcmpError,
  isLinkControl,
  isMulticast,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpPacket,
  sourceAt,
} from '../../packet/ip-packet.ts';
import { TCP_CHECKSUM, UDP_CHECKSUM } from '../../packet/segmentation.ts';
import type { Origin } from '../datapath.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
import { type OuterPackets, runEnd } from './outer-packets.ts';
import type { PeerSession, SleevePeer } from './sleeve-peer.ts';
import type { SleeveSender } from './sleeve-sender.ts';
import type { OpenFault } from './sleeve-session.ts';
import { relayIdOf, type SleeveState, samePath } from './sleeve-state.ts';

/** The longest handshake or cookie packet handed up; they are a few hundred bytes. */
const MAX_FOREIGN_LENGTH = 2048;
/** A session's peer that seems to have moved is reported at most this often. */
const MOVED_AGAIN_MS = 50;
/** Packets for unknown sessions handed up, per second and at once. */
const UNKNOWN_PER_SECOND = 10;
const UNKNOWN_BURST = 10;

/** From the beginning of an outer packet to its body. */
const BODY_OFFSET = OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH;

const UNOPENED: Readonly<Record<OpenFault, DatapathCounter>> = {
  counter: 'datapath.inCounter',
  replay: 'datapath.inReplay',
  forged: 'datapath.inForged',
  dead: 'datapath.inDeadSession',
};
const DENIED: Readonly<Record<IpFault, DatapathCounter>> = {
  truncated: 'datapath.inTruncated',
  version: 'datapath.inVersion',
  headerLength: 'datapath.inHeaderLength',
  length: 'datapath.inLength',
  options: 'datapath.inOptions',
  sourceRoute: 'datapath.inSourceRoute',
  extensionHeader: 'datapath.inExtensionHeader',
  fragment: 'datapath.inFragment',
  transport: 'datapath.inTransport',
};

/**
 * From the tunnels to the TUN: opens datagrams where they lie, those of one session that follow each other by one call,
 * and lets an IP packet pass only from an address of the peer that
 * sealed it to an address of ours. Nothing is ever forwarded in the clear for others; an envelope for another peer
 * goes on sealed, and we cannot read what is in it.
 *
 * Packets are judged in this order, each fault counted: form, session, counter, tag, replay, padding, kind; for IP
 * packets headers, source, destination, what an ICMP error quotes, checksum offsets, congestion marks.
 */
export class SleeveInbound {
  readonly #state: SleeveState;
  readonly #sender: SleeveSender;
  readonly #coalescer: Coalescer;
  readonly #ip = emptyIpPacket();
  readonly #unknowns = new TokenBucket(UNKNOWN_BURST, UNKNOWN_PER_SECOND);

  constructor(state: SleeveState, sender: SleeveSender) {
    this.#state = state;
    this.#sender = sender;
    const { coalesceTcp, coalesceUdp } = state.config;
    this.#coalescer = new Coalescer((frame) => state.sink.deliver(frame), {
      tcp: coalesceTcp,
      udp: coalesceUdp,
    });
  }

  /** Handles outer packets `from` an endpoint, or out of an envelope of the peer `via`. Their bytes are changed. */
  handlePackets(packets: OuterPackets, from: Endpoint, via: SleevePeer | undefined): void {
    const state = this.#state;
    const { bytes, end, segment } = packets;
    for (let at = packets.at; at < end; ) {
      const length = Math.min(segment, end - at);
      const data = isDataPacket(bytes, at, length);
      const session = data ? state.session(receiverIndexOf(bytes, at)) : undefined;
      if (session !== undefined) {
        at = this.#handleRun(session, packets, at, from, via);
        continue;
      }
      const packet = bytes.subarray(at, at + length);
      if (data) this.#handleUnknown(packet, from, via);
      else {
        const fault = this.#handleForeign(packet, from, via);
        if (fault !== undefined) state.drop(fault);
      }
      at += length;
    }
  }

  /**
   * Takes a packet of a session that somebody else opened and took into the session's ledger, straight from an endpoint:
   * its clear and its opened part, and where its tag was. `newest`: its counter is above all before it.
   */
  handleOpened(localIndex: number, bytes: Uint8Array, newest: boolean, tos: number, from: Endpoint): void {
    const session = this.#state.session(localIndex);
    const { length } = bytes;
    if (session === undefined) this.#state.drop('datapath.inUnknownIndex');
    else {
      const packets = { bytes, at: 0, end: length, segment: length, tos };
      this.#handleAccepted(session, newest, packets, 0, length, from, undefined);
    }
  }

  /** Delivers what was held back to be coalesced. */
  flush(): void {
    this.#coalescer.flush();
  }

  /** Handles the packet at `at` and those that follow it in its session; where the next one begins. */
  #handleRun(
    session: PeerSession,
    packets: OuterPackets,
    at: number,
    from: Endpoint,
    via: SleevePeer | undefined,
  ): number {
    const { bytes, segment } = packets;
    const first = counterOf(bytes, at);
    const refused = session.refusal(first);
    const end =
      refused === undefined ? runEnd(session, packets, at, first) : Math.min(at + segment, packets.end);
    if (refused !== undefined) this.#state.drop(UNOPENED[refused], session.peer);
    else {
      const run = { bytes, at, length: end - at, segment, aadLength: OUTER_HEADER_LENGTH };
      const opened = session.openRun(first, run);
      for (let i = 0; i < opened; i++) {
        const start = at + i * segment;
        this.#handleOpened(session, first + i, packets, start, Math.min(segment, end - start), from, via);
      }
      const failed = at + opened * segment;
      if (failed < end) {
        this.#state.drop('datapath.inForged', session.peer);
        this.#tellExhausted(session);
        return Math.min(failed + segment, end);
      }
    }
    this.#tellExhausted(session);
    return end;
  }

  /** Takes the packet of `length` bytes at `at`, which opened. */
  #handleOpened(
    session: PeerSession,
    counter: number,
    packets: OuterPackets,
    at: number,
    length: number,
    from: Endpoint,
    via: SleevePeer | undefined,
  ): void {
    const state = this.#state;
    // What a packet before this one gave rise to may have ended the session.
    if (session.erased) {
      state.drop('datapath.inUnknownIndex');
      return;
    }
    const order = session.accept(counter);
    if (order === undefined) {
      state.drop('datapath.inReplay', session.peer);
      return;
    }
    this.#handleAccepted(session, order === 'newest', packets, at, length, from, via);
  }

  /** Takes the packet of `length` bytes at `at`, which opened and is no replay. */
  #handleAccepted(
    session: PeerSession,
    newest: boolean,
    packets: OuterPackets,
    at: number,
    length: number,
    from: Endpoint,
    via: SleevePeer | undefined,
  ): void {
    const state = this.#state;
    const { peer } = session;
    const { bytes } = packets;
    peer.receivedPackets++;
    peer.receivedBytes += length;
    peer.lastReceivedAt = state.now;
    this.#noticeOrigin(session, newest, from, via);
    const bodyBytes = bodyLength(bytes, at + OUTER_HEADER_LENGTH, length - OUTER_HEADER_LENGTH - TAG_LENGTH);
    const fault =
      bodyBytes < 0 ? 'datapath.inPadding' : this.#dispatch(session, packets, at, bodyBytes, from, via);
    if (fault !== undefined) state.drop(fault, peer);
  }

  /** Handles what the packet at `at` holds: a body of `length` bytes. */
  #dispatch(
    session: PeerSession,
    packets: OuterPackets,
    at: number,
    length: number,
    from: Endpoint,
    via: SleevePeer | undefined,
  ): DatapathCounter | undefined {
    const { bytes } = packets;
    const kind = bytes[at + OUTER_HEADER_LENGTH]!;
    const a = bytes[at + OUTER_HEADER_LENGTH + 2]!;
    const b = bytes[at + OUTER_HEADER_LENGTH + 3]!;
    const body = at + BODY_OFFSET;
    if (b !== 0 && kind !== KIND_IP) return 'datapath.inInnerHeader';
    switch (kind) {
      case KIND_KEEPALIVE:
        return length === 0 && a === 0 ? undefined : 'datapath.inInnerHeader';
      case KIND_IP:
        return this.#handleIp(session.peer, packets, body, length, a, b);
      case KIND_CONTROL: {
        const message = bytes.slice(body, body + length);
        const { events, now } = this.#state;
        events?.control(session.peer.id, message, session.localIndex, originOf(from, via), now);
        return undefined;
      }
      case KIND_RELAY:
        if (a > MAX_RELAYS) return 'datapath.inInnerHeader';
        // Honest peers send envelopes over direct paths only, so none is ever within another.
        if (via !== undefined) return 'datapath.inNestedEnvelope';
        return this.#handleEnvelope(session.peer, bytes, body, length, a, from);
      default:
        return 'datapath.inKind';
    }
  }

  /** Delivers the IP packet of `length` bytes at `at`. The outer and inner header before it make room for a vnet header. */
  #handleIp(
    peer: SleevePeer,
    packets: OuterPackets,
    at: number,
    length: number,
    csumStart: number,
    csumOffset: number,
  ): DatapathCounter | undefined {
    const state = this.#state;
    const ip = this.#ip;
    const { bytes, tos } = packets;
    const fault = parseIpPacket(bytes, at, at + length, ip);
    if (fault !== undefined) return DENIED[fault];
    if (isMulticast(bytes, ip)) return 'datapath.inMulticast';
    if (isLinkControl(bytes, ip)) return 'datapath.inLinkControl';
    const source = state.routes.ownerIndex(ip.family, bytes, sourceAt(ip));
    if (source < 0 || state.peerOfOwner(source) !== peer) return 'datapath.inForeignSource';
    if (state.routes.ownerIndex(ip.family, bytes, destinationAt(ip)) !== state.selfOwner) {
      return 'datapath.inForeignDestination';
    }
    if (isIcmpError(bytes, ip) && !this.#quotesOurs(peer, bytes)) return 'datapath.inForeignQuote';
    if (csumStart !== 0 || csumOffset !== 0) {
      const offset =
        ip.protocol === PROTOCOL_TCP ? TCP_CHECKSUM : ip.protocol === PROTOCOL_UDP ? UDP_CHECKSUM : -1;
      if (ip.fragment || csumStart !== ip.transport - ip.start || csumOffset !== offset) {
        return 'datapath.inChecksumOffset';
      }
    }
    if (!takeMarks(bytes, ip, tos)) return 'datapath.inCongestion';
    peer.receivedIpBytes += length;
    this.#coalescer.add(bytes, ip, csumStart);
    return undefined;
  }

  /**
   * Whether the ICMP error in work speaks of a packet that we sent to `peer`. Of others it knows nothing, and could
   * only mean to disturb our pods' connections to third parties.
   */
  #quotesOurs(peer: SleevePeer, bytes: Uint8Array): boolean {
    const { routes, selfOwner } = this.#state;
    const { family } = this.#ip;
    const quoted = quotedAddresses(bytes, this.#ip);
    if (quoted === undefined || routes.ownerIndex(family, bytes, quoted.source) !== selfOwner) return false;
    return this.#state.peerOfOwner(routes.ownerIndex(family, bytes, quoted.destination)) === peer;
  }

  #handleEnvelope(
    sender: SleevePeer,
    bytes: Uint8Array,
    at: number,
    length: number,
    relaysLeft: number,
    from: Endpoint,
  ): DatapathCounter | undefined {
    const state = this.#state;
    if (length <= RELAY_ID_LENGTH) return 'datapath.inEnvelope';
    const relayId = hex(bytes.subarray(at, at + RELAY_ID_LENGTH));
    const start = at + RELAY_ID_LENGTH;
    const end = at + length;
    if (relayId === relayIdOf(state.self)) {
      // Marks on the way to and from a relay say nothing here: envelopes leave as Not-ECT.
      this.handlePackets({ bytes, at: start, end, segment: end - start, tos: 0 }, from, sender);
      return undefined;
    }
    const packet = bytes.subarray(start, end);
    if (!state.config.relay || !(isDataPacket(packet) || isForeignPacket(packet))) {
      return 'datapath.relayRefused';
    }
    if (relaysLeft === 0) return 'datapath.relayTooFar';
    const destination = state.peerByRelayId(relayId);
    if (destination === undefined || destination === sender) {
      return 'datapath.relayUnknownDestination';
    }
    const path = destination.path;
    const next = path?.kind === 'relay' ? state.knownPeer(path.via) : destination;
    // The next relay may need a further one only if the envelope allows it. The envelope never goes back to its sender.
    const useless = next === undefined || next === sender || (next !== destination && relaysLeft < 2);
    if (useless || !this.#sender.forward(next, relayId, relaysLeft - 1, packet)) {
      return 'datapath.relayUnreachable';
    }
    state.counters.add('datapath.relayForwarded');
    return undefined;
  }

  /** Tells the control core of a session's first packet, and of a peer that sends from elsewhere than we send to. */
  #noticeOrigin(session: PeerSession, newest: boolean, from: Endpoint, via: SleevePeer | undefined): void {
    const state = this.#state;
    if (!session.confirmed) {
      session.confirm();
      state.events?.confirmed(session.localIndex, originOf(from, via), state.now);
    }
    if (!newest) return;
    if (via === undefined && session.peer.isAt(from, state.now)) return;
    const reportedAt = session.movedReportedAt;
    if (reportedAt !== undefined && state.now < after(reportedAt, MOVED_AGAIN_MS)) return;
    const origin = originOf(from, via);
    if (samePath(session.peer.path, origin)) return;
    session.movedReportedAt = state.now;
    state.events?.moved(session.localIndex, origin, state.now);
  }

  #handleForeign(
    packet: Uint8Array,
    from: Endpoint,
    via: SleevePeer | undefined,
  ): DatapathCounter | undefined {
    const state = this.#state;
    if (!isForeignPacket(packet)) return 'datapath.inMalformed';
    if (packet.length > MAX_FOREIGN_LENGTH) return 'datapath.inForeignTooLong';
    state.events?.foreign(packet.slice(), originOf(from, via), state.now);
    return undefined;
  }

  #handleUnknown(packet: Uint8Array, from: Endpoint, via: SleevePeer | undefined): void {
    const state = this.#state;
    state.drop('datapath.inUnknownIndex');
    if (!this.#unknowns.take(state.now)) return;
    state.events?.unknownIndex(receiverIndexOf(packet), originOf(from, via), state.now);
  }

  #tellExhausted(session: PeerSession): void {
    if (!session.isWorn) return;
    const limit = session.takeExhausted();
    if (limit !== undefined) this.#state.events?.exhausted(session.localIndex, limit, this.#state.now);
  }
}

function originOf(from: Endpoint, via: SleevePeer | undefined): Origin {
  if (via !== undefined) return { kind: 'relay', via: via.id };
  return { kind: 'direct', endpoint: from };
}

import { hex } from '../../../base/bytes.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import { after } from '../../../base/instant.ts';
import { TokenBucket } from '../../../base/token-bucket.ts';
import { Coalescer } from '../../packet/coalescing.ts';
import {
  bodyLength,
  INNER_HEADER_LENGTH,
  isDataPacket,
  isForeignPacket,
  KIND_CONTROL,
  KIND_IP,
  KIND_KEEPALIVE,
  KIND_RELAY,
  MAX_RELAYS,
  RELAY_ID_LENGTH,
  receiverIndexOf,
} from '../../packet/data-packet.ts';
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
import { VNET_HEADER_LENGTH } from '../../packet/vnet-header.ts';
import type { Origin } from '../datapath.ts';
import type { DatapathCounter } from '../datapath-counters.ts';
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

/** Where a plaintext's body begins in its buffer: the vnet header takes the inner header's place on delivery. */
const BODY_AT = VNET_HEADER_LENGTH;
const PLAINTEXT_AT = BODY_AT - INNER_HEADER_LENGTH;
const MAX_PLAINTEXT = 65_536;

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
 * From the tunnels to the TUN: opens a datagram, and lets an IP packet pass only from an address of the peer that
 * sealed it to an address of ours. Nothing is ever forwarded in the clear for others; an envelope for another peer
 * goes on sealed, and we cannot read what is in it.
 *
 * Packets are judged in this order, each fault counted: form, session, counter, tag, replay, padding, kind; for IP
 * packets headers, source, destination, what an ICMP error quotes, checksum offsets.
 */
export class SleeveInbound {
  readonly #state: SleeveState;
  readonly #sender: SleeveSender;
  readonly #coalescer: Coalescer;
  readonly #ip = emptyIpPacket();
  readonly #verdict = { newest: false };
  readonly #plaintext = new Uint8Array(PLAINTEXT_AT + MAX_PLAINTEXT);
  /** A second one for what comes out of an envelope, which lies in the first. */
  readonly #relayedPlaintext = new Uint8Array(PLAINTEXT_AT + MAX_PLAINTEXT);
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

  /** Handles one outer packet: `from` an endpoint, or out of an envelope of the peer `via`. It is not kept. */
  handlePacket(packet: Uint8Array, from: Endpoint, via: SleevePeer | undefined): void {
    const state = this.#state;
    if (!isDataPacket(packet)) {
      const fault = this.#handleForeign(packet, from, via);
      if (fault !== undefined) state.drop(fault);
      return;
    }
    const session = state.session(receiverIndexOf(packet));
    if (session === undefined) this.#handleUnknown(packet, from, via);
    else this.#handleData(session, packet, from, via);
  }

  /** Delivers what was held back to be coalesced. */
  flush(): void {
    this.#coalescer.flush();
  }

  #handleData(session: PeerSession, packet: Uint8Array, from: Endpoint, via: SleevePeer | undefined): void {
    const peer = session.peer;
    const plaintext = via === undefined ? this.#plaintext : this.#relayedPlaintext;
    const outcome = session.open(packet, plaintext, PLAINTEXT_AT, this.#verdict);
    let fault: DatapathCounter | undefined;
    if (typeof outcome === 'string') fault = UNOPENED[outcome];
    else {
      peer.receivedPackets++;
      peer.receivedBytes += packet.length;
      peer.lastReceivedAt = this.#state.now;
      this.#noticeOrigin(session, from, via);
      const length = bodyLength(plaintext, PLAINTEXT_AT, outcome);
      fault = length < 0 ? 'datapath.inPadding' : this.#dispatch(session, plaintext, length, from, via);
    }
    if (fault !== undefined) this.#state.drop(fault, peer);
    if (session.isWorn) this.#tellExhausted(session);
  }

  #dispatch(
    session: PeerSession,
    plaintext: Uint8Array,
    length: number,
    from: Endpoint,
    via: SleevePeer | undefined,
  ): DatapathCounter | undefined {
    const kind = plaintext[PLAINTEXT_AT]!;
    const a = plaintext[PLAINTEXT_AT + 2]!;
    const b = plaintext[PLAINTEXT_AT + 3]!;
    if (b !== 0 && kind !== KIND_IP) return 'datapath.inInnerHeader';
    switch (kind) {
      case KIND_KEEPALIVE:
        return length === 0 && a === 0 ? undefined : 'datapath.inInnerHeader';
      case KIND_IP:
        return this.#handleIp(session.peer, plaintext, length, a, b);
      case KIND_CONTROL: {
        const body = plaintext.slice(BODY_AT, BODY_AT + length);
        const { events, now } = this.#state;
        events?.control(session.peer.id, body, session.localIndex, originOf(from, via), now);
        return undefined;
      }
      case KIND_RELAY:
        if (a > MAX_RELAYS) return 'datapath.inInnerHeader';
        // Honest peers send envelopes over direct paths only, so none is ever within another.
        if (via !== undefined) return 'datapath.inNestedEnvelope';
        return this.#handleEnvelope(session.peer, plaintext, length, a, from);
      default:
        return 'datapath.inKind';
    }
  }

  #handleIp(
    peer: SleevePeer,
    bytes: Uint8Array,
    length: number,
    csumStart: number,
    csumOffset: number,
  ): DatapathCounter | undefined {
    const state = this.#state;
    const ip = this.#ip;
    const fault = parseIpPacket(bytes, BODY_AT, BODY_AT + length, ip);
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
    length: number,
    relaysLeft: number,
    from: Endpoint,
  ): DatapathCounter | undefined {
    const state = this.#state;
    if (length <= RELAY_ID_LENGTH) return 'datapath.inEnvelope';
    const relayId = hex(bytes.subarray(BODY_AT, BODY_AT + RELAY_ID_LENGTH));
    const packet = bytes.subarray(BODY_AT + RELAY_ID_LENGTH, BODY_AT + length);
    if (relayId === relayIdOf(state.self)) {
      this.handlePacket(packet, from, sender);
      return undefined;
    }
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
  #noticeOrigin(session: PeerSession, from: Endpoint, via: SleevePeer | undefined): void {
    const state = this.#state;
    if (!session.confirmed) {
      session.confirmed = true;
      state.events?.confirmed(session.localIndex, originOf(from, via), state.now);
    }
    if (!this.#verdict.newest) return;
    const path = session.peer.path;
    if (via === undefined && path?.kind === 'direct' && path.endpoint === from) return;
    const reportedAt = session.movedReportedAt;
    if (reportedAt !== undefined && state.now < after(reportedAt, MOVED_AGAIN_MS)) return;
    const origin = originOf(from, via);
    if (samePath(path, origin)) return;
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
    const limit = session.takeExhausted();
    if (limit !== undefined) this.#state.events?.exhausted(session.localIndex, limit, this.#state.now);
  }
}

function originOf(from: Endpoint, via: SleevePeer | undefined): Origin {
  if (via !== undefined) return { kind: 'relay', via: via.id };
  return { kind: 'direct', endpoint: from };
}

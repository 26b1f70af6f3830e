import { fromHex } from '../../../base/bytes.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import {
  DATA_OVERHEAD,
  INNER_HEADER_LENGTH,
  KIND_CONTROL,
  KIND_IP,
  KIND_KEEPALIVE,
  KIND_RELAY,
  MAX_OUTER_LENGTH,
  MAX_RELAYS,
  OUTER_HEADER_LENGTH,
  paddingFor,
  RELAY_ID_LENGTH,
  RELAY_OVERHEAD,
  TAG_LENGTH,
  writeInnerHeader,
} from '../../packet/data-packet.ts';
import { outerTos, tosAt } from '../../packet/ecn.ts';
import type { Path } from '../datapath.ts';
import type { PeerSession, SleevePeer } from './sleeve-peer.ts';
import { relayIdOf, type SleeveState } from './sleeve-state.ts';

/** Room for an envelope, which is put before the packet that it wraps. */
const ENVELOPE_ROOM = OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH + RELAY_ID_LENGTH;
/** From the beginning of an outer packet to its body. */
const BODY_OFFSET = OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH;
const MAX_BODY_LENGTH = 65_535;
/** The longest packet with the longest padding, and the tag of an envelope behind it. */
const MAX_PACKET_LENGTH = BODY_OFFSET + MAX_BODY_LENGTH + 256 + 2 * TAG_LENGTH;
/** Packets in a run, which every kernel with UDP_SEGMENT takes, and their bytes, below an IPv4 packet's length. */
const MAX_RUN_PACKETS = 64;
const MAX_RUN_BYTES = 65_000;

/**
 * The way out of a sleeve: plaintexts are written one behind the other in one buffer, and sealed there. Consecutive
 * ones of one session, size (the last perhaps shorter) and TOS byte for one endpoint are a *run*: they are sealed by one call and
 * transmitted by one.
 *
 * ```
 * 0                    36
 * | room for envelope  | outer header | inner header | body … | padding | tag | outer header | inner header | …
 * | outer | inner | id | ← the packet for the peer, which an envelope wraps → | ← the next of the run →
 * ```
 *
 * Whoever has a body asks for {@link room}, writes it there and calls `sealIp`. There is no function here that
 * transmits anything of a body unsealed. Nothing has left before {@link flush}.
 */
export class SleeveSender {
  readonly buffer = new Uint8Array(ENVELOPE_ROOM + MAX_OUTER_LENGTH + MAX_PACKET_LENGTH);
  readonly #state: SleeveState;
  /** Sessions that sealed since the last {@link takeWorn}, where that reached a limit. */
  #worn: PeerSession[] = [];
  /** Where the next outer packet begins: behind the run that is under way. */
  #next = ENVELOPE_ROOM;

  /** The run that is under way, from {@link ENVELOPE_ROOM} on; none while its count is 0. */
  #runSession: PeerSession | undefined;
  #runTo: Endpoint | undefined;
  /** The counter of its first packet. */
  #runCounter = 0;
  #runCount = 0;
  /** Bytes of each packet but the last. */
  #runSegment = 0;
  #runTos = 0;

  constructor(state: SleeveState) {
    this.#state = state;
  }

  /** Where in {@link buffer} the next body is to be written; there is room for the longest. */
  room(): number {
    return this.#next + BODY_OFFSET;
  }

  /** Seals and transmits the run that is under way. */
  flush(): void {
    if (this.#runCount === 0) return;
    const at = ENVELOPE_ROOM;
    const length = this.#next - at;
    this.#runCount = 0;
    this.#next = at;
    const session = this.#runSession!;
    if (session.erased) return;
    const { buffer } = this;
    const segment = this.#runSegment;
    session.sealRun(this.#runCounter, { bytes: buffer, at, length, segment, aadLength: OUTER_HEADER_LENGTH });
    this.#state.sink.transmit(this.#runTo!, buffer.subarray(at, at + length), segment, this.#runTos);
  }

  /** Whether a packet for `peer` can go out now. */
  canReach(peer: SleevePeer): boolean {
    return peer.current?.canSeal === true && this.#reachable(peer.path);
  }

  /** Seals the IP packet of `length` bytes in the {@link room} for `peer`. False when it cannot go out. */
  sealIp(peer: SleevePeer, length: number, csumStart: number, csumOffset: number): boolean {
    const padding = paddingFor(length, peer.mtu);
    const sent = this.#sealAndSend(peer, peer.path, KIND_IP, length, padding, csumStart, csumOffset);
    if (sent) peer.sentIpBytes += length;
    return sent;
  }

  /** Seals a control message, or with an empty body a keepalive. `padTo`: bytes of the outer UDP payload. */
  sealControl(
    peer: SleevePeer,
    body: Uint8Array,
    path: Path | undefined,
    padTo: number | undefined,
  ): boolean {
    if (body.length > MAX_BODY_LENGTH - RELAY_OVERHEAD) return false;
    this.buffer.set(body, this.room());
    const overhead = DATA_OVERHEAD + (path?.kind === 'relay' ? RELAY_OVERHEAD : 0);
    let padding = paddingFor(body.length, peer.mtu);
    if (padTo !== undefined)
      padding = Math.max(0, Math.min(padTo, MAX_OUTER_LENGTH) - overhead - body.length);
    const kind = body.length === 0 && padding < 256 ? KIND_KEEPALIVE : KIND_CONTROL;
    return this.#sealAndSend(peer, path, kind, body.length, padding, 0, 0);
  }

  /**
   * Sends a packet that is not data to peer `to`: as it is, or in an envelope. False where the relay is out of reach.
   */
  sendForeign(path: Path, to: SleevePeer['id'] | undefined, packet: Uint8Array): boolean {
    if (path.kind === 'direct') {
      this.#state.sink.transmit(path.endpoint, packet);
      return true;
    }
    if (to === undefined || packet.length > MAX_OUTER_LENGTH - RELAY_OVERHEAD) return false;
    this.#wrap(packet);
    return this.#sendThrough(this.#state.knownPeer(path.via), relayIdOf(to), MAX_RELAYS, packet.length);
  }

  /** Passes on the outer packet `packet` for the peer `relayId` (32 hex digits) in an envelope to `next`. */
  forward(next: SleevePeer, relayId: string, relaysLeft: number, packet: Uint8Array): boolean {
    this.#wrap(packet);
    return this.#sendThrough(next, relayId, relaysLeft, packet.length);
  }

  /** Sessions that reached a limit by sealing, once each: told to the control core when no packet is in work. */
  takeWorn(): readonly PeerSession[] {
    if (this.#worn.length === 0) return this.#worn;
    const worn = this.#worn;
    this.#worn = [];
    return worn;
  }

  /** An envelope travels on a direct path only, so envelopes never nest and a packet's size stays bounded. */
  #reachable(path: Path | undefined): boolean {
    if (path === undefined || path.kind === 'direct') return path !== undefined;
    const via = this.#state.knownPeer(path.via);
    return via?.path?.kind === 'direct' && via.current?.canSeal === true;
  }

  #sealAndSend(
    peer: SleevePeer,
    path: Path | undefined,
    kind: number,
    length: number,
    padding: number,
    a: number,
    b: number,
  ): boolean {
    const session = peer.current;
    if (session === undefined || !session.canSeal || path === undefined || !this.#reachable(path))
      return false;
    const total = DATA_OVERHEAD + length + padding;
    if (total + (path.kind === 'relay' ? RELAY_OVERHEAD : 0) > MAX_OUTER_LENGTH) return false;
    const { buffer } = this;
    const at = this.#next;
    const bodyEnd = at + BODY_OFFSET + length;
    for (let i = 0; i < padding; i++) buffer[bodyEnd + i] = 0;
    writeInnerHeader(buffer, at + OUTER_HEADER_LENGTH, kind, padding, a, b);
    if (path.kind === 'direct') {
      const inner = kind === KIND_IP ? tosAt(buffer, at + BODY_OFFSET) : 0;
      this.#join(session, path.endpoint, total, outerTos(inner, session.peerTakesMarks));
      return true;
    }
    this.flush();
    buffer.copyWithin(ENVELOPE_ROOM, at, at + total);
    this.#sealAlone(session, ENVELOPE_ROOM, total);
    return this.#sendThrough(this.#state.knownPeer(path.via), relayIdOf(peer.id), MAX_RELAYS, total);
  }

  /** Makes the plaintext of `total` bytes at `#next` a part of the run under way, or the first of a new one. */
  #join(session: PeerSession, to: Endpoint, total: number, tos: number): void {
    const counter = this.#stamp(session, this.#next, total);
    const fits =
      this.#runCount > 0 &&
      this.#runCount < MAX_RUN_PACKETS &&
      session === this.#runSession &&
      counter === this.#runCounter + this.#runCount && // nobody else took one in between
      to === this.#runTo &&
      tos === this.#runTos &&
      total <= this.#runSegment &&
      this.#next === ENVELOPE_ROOM + this.#runCount * this.#runSegment && // no shorter one closed it
      this.#next + total <= ENVELOPE_ROOM + MAX_RUN_BYTES;
    if (!fits && this.#runCount > 0) {
      const at = this.#next;
      this.flush();
      this.buffer.copyWithin(this.#next, at, at + total);
    }
    if (!fits) {
      this.#runSession = session;
      this.#runTo = to;
      this.#runCounter = counter;
      this.#runSegment = total;
      this.#runTos = tos;
    }
    this.#runCount++;
    this.#next += total;
  }

  /** Lays `packet` where an envelope can be put before it. */
  #wrap(packet: Uint8Array): void {
    this.flush();
    this.buffer.set(packet, ENVELOPE_ROOM);
  }

  /** Wraps the outer packet of `length` bytes behind the room for it into an envelope for `relay` and transmits it. */
  #sendThrough(relay: SleevePeer | undefined, relayId: string, relaysLeft: number, length: number): boolean {
    const session = relay?.current;
    if (relay?.path?.kind !== 'direct' || session === undefined || !session.canSeal) return false;
    if (length + RELAY_OVERHEAD > MAX_OUTER_LENGTH) return false;
    writeInnerHeader(this.buffer, OUTER_HEADER_LENGTH, KIND_RELAY, 0, relaysLeft, 0);
    this.buffer.set(fromHex(relayId)!, OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH);
    const total = length + RELAY_OVERHEAD;
    this.#sealAlone(session, 0, total);
    this.#state.sink.transmit(relay.path.endpoint, this.buffer.subarray(0, total));
    return true;
  }

  /** Seals the plaintext in the packet of `total` bytes at `at`. */
  #sealAlone(session: PeerSession, at: number, total: number): void {
    const counter = this.#stamp(session, at, total);
    const run = { bytes: this.buffer, at, length: total, segment: total, aadLength: OUTER_HEADER_LENGTH };
    session.sealRun(counter, run);
  }

  /** Writes the outer header of the packet of `total` bytes at `at` and counts it; its counter. */
  #stamp(session: PeerSession, at: number, total: number): number {
    const counter = session.stamp(this.buffer, at);
    const peer = session.peer;
    peer.sentPackets++;
    peer.sentBytes += total;
    peer.lastSentAt = this.#state.now;
    if (session.isWorn && !this.#worn.includes(session)) this.#worn.push(session);
    return counter;
  }
}

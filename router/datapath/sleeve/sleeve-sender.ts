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
import type { Path } from '../datapath.ts';
import type { PeerSession, SleevePeer } from './sleeve-peer.ts';
import { relayIdOf, type SleeveState } from './sleeve-state.ts';

/** Where an outer packet begins in the buffer: before it is room for an envelope around it. */
const OUTER_AT = OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH + RELAY_ID_LENGTH;
/** Where the body of a plaintext begins. */
export const BODY_AT = OUTER_AT + OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH;
const MAX_BODY_LENGTH = 65_535;

/**
 * The way out of a sleeve: seals one plaintext after the other in one buffer, in place, and transmits it.
 *
 * ```
 * 0                    36             52             56
 * | room for envelope  | outer header | inner header | body … | padding | room for two tags
 * | outer | inner | id | ← the packet for the peer →
 * ```
 *
 * Whoever writes a body writes it to `buffer` from {@link BODY_AT}, then calls `sealIp`. There is no function here
 * that transmits anything of a body unsealed.
 */
export class SleeveSender {
  readonly buffer = new Uint8Array(BODY_AT + MAX_BODY_LENGTH + 256 + 2 * TAG_LENGTH);
  readonly #state: SleeveState;
  /** Sessions that sealed since the last {@link takeWorn}, where that reached a limit. */
  #worn: PeerSession[] = [];

  constructor(state: SleeveState) {
    this.#state = state;
  }

  /** Whether a packet for `peer` can go out now. */
  canReach(peer: SleevePeer): boolean {
    return peer.current?.canSeal === true && this.#reachable(peer.path);
  }

  /** Seals the IP packet of `length` bytes at {@link BODY_AT} for `peer`. False when it cannot go out. */
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
    this.buffer.set(body, BODY_AT);
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
      this.#transmit(path.endpoint, packet);
      return true;
    }
    if (to === undefined || packet.length > MAX_OUTER_LENGTH - RELAY_OVERHEAD) return false;
    this.buffer.set(packet, OUTER_AT);
    return this.#sendThrough(this.#state.knownPeer(path.via), relayIdOf(to), MAX_RELAYS, packet.length);
  }

  /** Passes on the outer packet `packet` for the peer `relayId` (32 hex digits) in an envelope to `next`. */
  forward(next: SleevePeer, relayId: string, relaysLeft: number, packet: Uint8Array): boolean {
    this.buffer.set(packet, OUTER_AT);
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
    const buffer = this.buffer;
    const bodyEnd = BODY_AT + length;
    for (let i = 0; i < padding; i++) buffer[bodyEnd + i] = 0;
    writeInnerHeader(buffer, BODY_AT - INNER_HEADER_LENGTH, kind, padding, a, b);
    const packet = buffer.subarray(OUTER_AT, OUTER_AT + total);
    this.#seal(session, packet);
    if (path.kind === 'direct') {
      this.#transmit(path.endpoint, packet);
      return true;
    }
    return this.#sendThrough(this.#state.knownPeer(path.via), relayIdOf(peer.id), MAX_RELAYS, total);
  }

  /** Wraps the outer packet of `length` bytes at {@link OUTER_AT} into an envelope for `relay` and transmits it. */
  #sendThrough(relay: SleevePeer | undefined, relayId: string, relaysLeft: number, length: number): boolean {
    const session = relay?.current;
    if (relay?.path?.kind !== 'direct' || session === undefined || !session.canSeal) return false;
    if (length + RELAY_OVERHEAD > MAX_OUTER_LENGTH) return false;
    writeInnerHeader(this.buffer, OUTER_HEADER_LENGTH, KIND_RELAY, 0, relaysLeft, 0);
    this.buffer.set(fromHex(relayId)!, OUTER_HEADER_LENGTH + INNER_HEADER_LENGTH);
    const envelope = this.buffer.subarray(0, length + RELAY_OVERHEAD);
    this.#seal(session, envelope);
    this.#transmit(relay.path.endpoint, envelope);
    return true;
  }

  #seal(session: PeerSession, packet: Uint8Array): void {
    session.seal(packet);
    const peer = session.peer;
    peer.sentPackets++;
    peer.sentBytes += packet.length;
    peer.lastSentAt = this.#state.now;
    if (session.isWorn && !this.#worn.includes(session)) this.#worn.push(session);
  }

  #transmit(to: Endpoint, packet: Uint8Array): void {
    this.#state.sink.transmit(to, packet);
  }
}

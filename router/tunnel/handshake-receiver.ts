import { equalBytes, readU32LE } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { checkMac1 } from '../../crypto/cookie.ts';
import type { Datapath, Origin } from '../datapath/datapath.ts';
import { type HandshakeSelf, isInitiation, isResponse, ReceivedInitiation } from '../handshake/handshake.ts';
import { PACKET_COOKIE, PACKET_INITIATION, PACKET_RESPONSE } from '../packet/data-packet.ts';
import type { Admission } from './admission.ts';
import type { Tunnel } from './tunnel.ts';
import { COUNTER_BY_INITIATION_FAULT, type TunnelCounter } from './tunnel-counters.ts';

/** The tunnels, as far as handshakes have to find them. */
interface TunnelLookup {
  ofPeer(peer: PeerId): Tunnel | undefined;
  ofIndex(localIndex: number): Tunnel | undefined;
}

/**
 * Takes in the packets of handshakes (initiation, response, cookie reply) and brings each to the tunnel that it is
 * for. A stranger's packet makes no state: an initiation is admitted first (admission.ts), then read, and must come
 * from a peer that was set; the other two must answer an initiation of ours.
 */
export class HandshakeReceiver {
  readonly #self: HandshakeSelf;
  readonly #datapath: Datapath;
  readonly #counters: Counters<TunnelCounter>;
  readonly #admission: Admission;
  readonly #tunnels: TunnelLookup;

  constructor(options: {
    readonly self: HandshakeSelf;
    readonly datapath: Datapath;
    readonly counters: Counters<TunnelCounter>;
    readonly admission: Admission;
    readonly tunnels: TunnelLookup;
  }) {
    this.#self = options.self;
    this.#datapath = options.datapath;
    this.#counters = options.counters;
    this.#admission = options.admission;
    this.#tunnels = options.tunnels;
  }

  /** Takes in an outer packet that is not data. The tunnel that it changed, if any. */
  receive(packet: Uint8Array, from: Origin, now: Instant): Tunnel | undefined {
    switch (packet[0]) {
      case PACKET_INITIATION:
        return this.#initiation(packet, from, now);
      case PACKET_RESPONSE:
        return this.#response(packet, from, now);
      case PACKET_COOKIE:
        return this.#cookieReply(packet, from, now);
      default:
        return this.#drop('handshake.unknownType');
    }
  }

  #initiation(packet: Uint8Array, from: Origin, now: Instant): Tunnel | undefined {
    if (!isInitiation(packet)) return this.#drop('handshake.badForm');
    const verdict = this.#admission.judge(packet, from, now);
    if (verdict.type === 'cookie') this.#datapath.sendForeign(from, undefined, verdict.reply);
    if (verdict.type !== 'admit') return undefined;
    const read = ReceivedInitiation.read(this.#self, packet);
    if (!read.ok) return this.#drop(COUNTER_BY_INITIATION_FAULT[read.reason]);
    const tunnel = this.#tunnels.ofPeer(read.value.payload.peer);
    if (tunnel === undefined || !equalBytes(tunnel.info.noiseKey, read.value.noiseKey)) {
      read.value.erase();
      return this.#drop(tunnel === undefined ? 'handshake.unknownPeer' : 'handshake.wrongKey');
    }
    tunnel.initiationReceived(read.value, from, now);
    return tunnel;
  }

  #response(packet: Uint8Array, from: Origin, now: Instant): Tunnel | undefined {
    if (!isResponse(packet)) return this.#drop('handshake.badForm');
    const localIndex = readU32LE(packet, 4);
    const tunnel = this.#tunnels.ofIndex(localIndex);
    if (tunnel === undefined) return this.#drop('handshake.lateResponse');
    if (!checkMac1(this.#admission.keys, packet)) return this.#drop('handshake.badMac1');
    tunnel.responseReceived(packet, localIndex, from, now);
    return tunnel;
  }

  #cookieReply(packet: Uint8Array, from: Origin, now: Instant): Tunnel | undefined {
    const localIndex = packet.length >= 8 ? readU32LE(packet, 4) : 0;
    const tunnel = this.#tunnels.ofIndex(localIndex);
    if (tunnel === undefined) return this.#drop('handshake.lateCookie');
    tunnel.cookieReceived(packet, localIndex, from, now);
    return tunnel;
  }

  #drop(counter: TunnelCounter): undefined {
    this.#counters.add(counter);
  }
}

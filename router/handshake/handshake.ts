/**
 * The handshake of a tunnel: `Noise_IKpsk0_25519_ChaChaPoly_BLAKE2b` over UDP, one round trip.
 *
 * ```
 *   initiator                                            responder
 *       │ initiation: who I am, (boot epoch, sequence), suites │
 *       ├─────────────────────────────────────────────────────▶│ reads it, answers, installs the session to receive
 *       │ response: accepted, suite, index                     │
 *       │◀─────────────────────────────────────────────────────┤ (or "regressed" and a token: no session)
 *       │ first packet on the new session                      │
 *       ├─────────────────────────────────────────────────────▶│ only now sends on it and believes the address
 * ```
 *
 * Who may get how far:
 *  - without the cluster secret nobody forms a mac1 that holds, so a scanner hears nothing, and nobody reads or
 *    forms an initiation (psk0), even with all static keys or, one day, with a quantum computer;
 *  - with the secret alone one is nobody: the initiator proves a static key, and it must be the one in the signed
 *    record of the peer it says it is. The responder's identity stands in the prologue, so a peer that published
 *    another's static key as its own receives nothing meant for that other, nor the other for it;
 *  - with the responder's static key one can forge an initiation (any Noise IK allows that), but not its first
 *    packet, for that takes the initiator's key: hence the confirmation (sessions.ts);
 *  - a recorded initiation is refused by its (boot epoch, sequence) (handshake-guard.ts).
 *
 * An initiation is longer than any answer to it, so nothing is amplified.
 *
 * ```
 * initiation, 204 bytes                        response, 120 bytes
 *   0  type = 1, flags = 0, zero u16              0  type = 2, flags = 0, zero u16
 *   4  sender index u32                           4  receiver index u32 (the initiator's)
 *   8  ephemeral key 32                           8  ephemeral key 32
 *  40  static key, sealed 32 + 16                40  payload, sealed 32 + 16
 *  88  payload, sealed 68 + 16                   88  mac1 16
 * 172  mac1 16                                  104  mac2 16 (zero)
 * 188  mac2 16 (zero without a cookie)
 * ```
 *
 * The payloads, sealed, are in `handshake-payload.ts`.
 */
import { assert } from '../../base/assert.ts';
import { concat, readU32LE, utf8, writeU32LE } from '../../base/bytes.ts';
import { type PeerId, peerIdBytes } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import { COOKIE_REPLY_LENGTH, MACS_LENGTH } from '../../crypto/cookie.ts';
import type { Identity } from '../../crypto/identity.ts';
import { HandshakeState } from '../../crypto/noise.ts';
import { type DataKeys, deriveDataKeys, eraseSplit } from '../../crypto/transport-keys.ts';
import { PACKET_INITIATION, PACKET_RESPONSE } from '../packet/data-packet.ts';
import {
  decodeInitiationPayload,
  decodeResponsePayload,
  encodeInitiationPayload,
  encodeResponsePayload,
  INITIATION_PAYLOAD_LENGTH,
  type InitiationPayload,
  RESPONSE_PAYLOAD_LENGTH,
  type ResponsePayload,
} from './handshake-payload.ts';

export type InitiationFault = 'badForm' | 'unreadable' | 'badPayload';
export type ResponseFault = 'badForm' | 'unreadable' | 'badPayload';

/** Our own part in all handshakes. */
export interface HandshakeSelf {
  readonly identity: Identity;
  readonly clusterKeys: ClusterKeys;
  readonly random: RandomSource;
}

/**
 * The initiator's half. `to.noiseKey` is the static key in the signed record of `to.peer`. A zero point there is
 * the peer's fault: 'zeroPoint', nothing is sent.
 */
export class Initiation {
  /** The message without the trailer of mac1 and mac2, {@link INITIATION_BODY_LENGTH} bytes. */
  readonly body: Uint8Array;
  readonly localIndex: number;
  readonly #state: HandshakeState;

  private constructor(body: Uint8Array, localIndex: number, state: HandshakeState) {
    this.body = body;
    this.localIndex = localIndex;
    this.#state = state;
  }

  static create(
    self: HandshakeSelf,
    to: { readonly peer: PeerId; readonly noiseKey: Uint8Array },
    localIndex: number,
    payload: InitiationPayload,
  ): Result<Initiation, 'zeroPoint'> {
    const header = initiationHeader(localIndex);
    const state = new HandshakeState({
      pattern: PATTERN,
      role: 'initiator',
      prologue: prologue(self.clusterKeys, header, to.peer),
      staticKey: self.identity.noise,
      remoteStatic: to.noiseKey,
      psks: [self.clusterKeys.psk],
      random: self.random,
    });
    const message = state.writeMessage(encodeInitiationPayload(payload));
    if (!message.ok) return fail('zeroPoint');
    return ok(new Initiation(concat(header, message.value), localIndex, state));
  }

  /**
   * Reads a response, whose mac1 the caller has checked. A failure changes nothing: the true response can still
   * come. Success ends the handshake: keys where it was accepted, which the caller erases.
   */
  readResponse(
    packet: Uint8Array,
  ): Result<{ readonly payload: ResponsePayload; readonly keys: DataKeys | undefined }, ResponseFault> {
    if (!isResponse(packet) || readU32LE(packet, 4) !== this.localIndex) return fail('badForm');
    const message = this.#state.readMessage(packet.subarray(HEADER_LENGTH, RESPONSE_BODY_LENGTH));
    if (!message.ok) return fail('unreadable');
    const split = this.#state.split();
    const payload = decodeResponsePayload(message.value);
    const keys = payload?.outcome === 'accepted' ? deriveDataKeys(split, payload.suite) : undefined;
    eraseSplit(split);
    return payload === undefined ? fail('badPayload') : ok({ payload, keys });
  }

  erase(): void {
    this.#state.erase();
  }
}

/** An initiation that was read: whoever sent it holds `noiseKey` and the cluster secret, or replays one who did. */
export class ReceivedInitiation {
  readonly payload: InitiationPayload;
  /** The initiator's static key. */
  readonly noiseKey: Uint8Array;
  readonly remoteIndex: number;
  /** The initiator's ephemeral key: equal for the same initiation only. */
  readonly ephemeral: Uint8Array;
  readonly #state: HandshakeState;

  private constructor(
    payload: InitiationPayload,
    noiseKey: Uint8Array,
    packet: Uint8Array,
    state: HandshakeState,
  ) {
    this.payload = payload;
    this.noiseKey = noiseKey;
    this.remoteIndex = readU32LE(packet, 4);
    this.ephemeral = packet.slice(HEADER_LENGTH, HEADER_LENGTH + 32);
    this.#state = state;
  }

  /** Reads an initiation, whose mac1 the caller has checked (it costs two X25519 multiplications). */
  static read(self: HandshakeSelf, packet: Uint8Array): Result<ReceivedInitiation, InitiationFault> {
    if (!isInitiation(packet)) return fail('badForm');
    const state = new HandshakeState({
      pattern: PATTERN,
      role: 'responder',
      prologue: prologue(self.clusterKeys, packet.subarray(0, HEADER_LENGTH), self.identity.peer),
      staticKey: self.identity.noise,
      psks: [self.clusterKeys.psk],
      random: self.random,
    });
    const message = state.readMessage(packet.subarray(HEADER_LENGTH, INITIATION_BODY_LENGTH));
    const payload = message.ok ? decodeInitiationPayload(message.value) : undefined;
    if (payload === undefined || readU32LE(packet, 4) === 0) {
      state.erase();
      return fail(message.ok ? 'badPayload' : 'unreadable');
    }
    return ok(new ReceivedInitiation(payload, state.remoteStatic!, packet, state));
  }

  /**
   * The response without its trailer, and the session's keys where it accepts; the caller erases them. Ends the
   * handshake. 'zeroPoint': the initiator's ephemeral key is no key.
   */
  respond(
    payload: ResponsePayload,
  ): Result<{ readonly body: Uint8Array; readonly keys: DataKeys | undefined }, 'zeroPoint'> {
    const message = this.#state.writeMessage(encodeResponsePayload(payload));
    if (!message.ok) {
      this.#state.erase();
      return fail('zeroPoint');
    }
    const split = this.#state.split();
    const keys = payload.outcome === 'accepted' ? deriveDataKeys(split, payload.suite) : undefined;
    eraseSplit(split);
    const header = new Uint8Array(HEADER_LENGTH);
    header[0] = PACKET_RESPONSE;
    writeU32LE(header, 4, this.remoteIndex);
    return ok({ body: concat(header, message.value), keys });
  }

  erase(): void {
    this.#state.erase();
  }
}

/** Whether the bytes have the outer form of an initiation. */
export function isInitiation(packet: Uint8Array): boolean {
  return packet.length === INITIATION_LENGTH && readU32LE(packet, 0) === PACKET_INITIATION;
}

/** Whether the bytes have the outer form of a response. */
export function isResponse(packet: Uint8Array): boolean {
  return packet.length === RESPONSE_LENGTH && readU32LE(packet, 0) === PACKET_RESPONSE;
}

function initiationHeader(localIndex: number): Uint8Array {
  assert(localIndex > 0 && localIndex < 2 ** 32, 'an index from 1 to 2^32 - 1');
  const header = new Uint8Array(HEADER_LENGTH);
  header[0] = PACKET_INITIATION;
  writeU32LE(header, 4, localIndex);
  return header;
}

function prologue(keys: ClusterKeys, header: Uint8Array, responder: PeerId): Uint8Array {
  return concat(PROTOCOL_LABEL, keys.clusterId, header, peerIdBytes(responder));
}

const PATTERN = 'IKpsk0';
const PROTOCOL_LABEL = utf8('weft tunnel v1');
const HEADER_LENGTH = 8;
const INITIATION_BODY_LENGTH = HEADER_LENGTH + 32 + (32 + 16) + (INITIATION_PAYLOAD_LENGTH + 16);
/** Bytes of an initiation, with mac1 and mac2. */
export const INITIATION_LENGTH = INITIATION_BODY_LENGTH + MACS_LENGTH;
/** Bytes of a response, without mac1 and mac2 and with them. */
export const RESPONSE_BODY_LENGTH = HEADER_LENGTH + 32 + (RESPONSE_PAYLOAD_LENGTH + 16);
export const RESPONSE_LENGTH = RESPONSE_BODY_LENGTH + MACS_LENGTH;

assert(INITIATION_LENGTH >= RESPONSE_LENGTH, 'a response amplifies nothing');
assert(INITIATION_LENGTH >= COOKIE_REPLY_LENGTH, 'a cookie amplifies nothing');

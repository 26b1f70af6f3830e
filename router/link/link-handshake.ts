import { assert } from '../../base/assert.ts';
import { concat, utf8 } from '../../base/bytes.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { TAG_LENGTH } from '../../crypto/aead-engine.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import { type Identity, SIGNATURE_LENGTH, sign, verifySignature } from '../../crypto/identity.ts';
import {
  HandshakeState,
  type NoiseReadFault,
  type NoiseRole,
  type NoiseWriteFault,
} from '../../crypto/noise.ts';
import { eraseSplit } from '../../crypto/transport-keys.ts';
import { FrameReader, frame } from './frame-reader.ts';
import { type ChannelFault, SecureChannel } from './secure-channel.ts';

/**
 * How two nodes that may never have met open a gossip connection: Noise XX keyed with the cluster's secret from
 * the first byte, and inside it each side's name with a signature. Three frames (see {@link FrameReader}), then
 * the connection belongs to a {@link SecureChannel}.
 *
 * ```
 * Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b, prologue: "weft link v1" ‖ cluster id 16
 *
 *   initiator                                          responder
 *     1  → psk, e                        payload: empty
 *     2                                  ← e, ee, s, es  payload: credential
 *     3  → s, se                         payload: credential
 *
 * credential
 * 0                    32             96
 * | Ed25519 public key | signature 64 | what the caller says (at most 8 KiB) |
 *
 * signature over "weft link credential v1" ‖ cluster id ‖ h before the message (64) ‖ X25519 public key (32)
 * ```
 *
 * The signature covers this handshake's own hash, so it proves that the holder of the peer's name takes part here
 * and now, and with which static key; it is of no use in any other connection.
 *
 * Whoever lacks the secret is found out by message 1, before any Diffie-Hellman, and gets no byte back. Somebody who
 * has recorded a message 1 can send it again; link-admission.ts sees to it that this costs no Diffie-Hellman either.
 */

/** From the accept to the end of the handshake, in milliseconds. */
export const LINK_HANDSHAKE_MS = 5000;
/** From the accept to the first message, in milliseconds: time for one that is lost to be sent again. */
export const LINK_FIRST_MESSAGE_MS = 3000;
/** The longest handshake frame, in bytes. */
export const LINK_HANDSHAKE_FRAME_MAX = 16_384;
/** The longest payload of the caller's in a credential, in bytes. */
export const LINK_PAYLOAD_MAX = 8192;

const PROLOGUE_LABEL = utf8('weft link v1');
const CREDENTIAL_LABEL = utf8('weft link credential v1');
const CREDENTIAL_LENGTH = 32 + SIGNATURE_LENGTH;
/** Message 1: an ephemeral key, and the tag of an empty payload. */
const EPHEMERAL_LENGTH = 32;
const FIRST_MESSAGE_LENGTH = EPHEMERAL_LENGTH + TAG_LENGTH;
const EMPTY = new Uint8Array(0);

/** What one side of a link's handshake needs. */
export interface LinkHandshakeOptions {
  readonly role: NoiseRole;
  readonly identity: Identity;
  readonly cluster: Pick<ClusterKeys, 'clusterId' | 'psk'>;
  readonly random: RandomSource;
  /**
   * Asked by a responder when message 1 was opened with the cluster's secret, before any Diffie-Hellman: whether to go
   * on, by the initiator's ephemeral key. Default: always.
   */
  readonly admit?: (ephemeral: Uint8Array) => 'admit' | 'replayed' | 'limited';
  /** What to tell the peer with our credential, at most {@link LINK_PAYLOAD_MAX} bytes; default nothing. */
  readonly payload?: Uint8Array;
}

/**
 * - `frame-too-long`: beyond {@link LINK_HANDSHAKE_FRAME_MAX}, and for message 1 beyond its only length
 * - `replayed`: message 1 was answered before
 * - `limited`: too many handshakes at present, of this source or of all
 * - `bad-credential`: not formed as one, or signed by another or for another connection
 * - `self`: we reached ourselves
 *
 * After any the connection is to be closed, and every further call gives the same.
 */
export type LinkHandshakeFault =
  | NoiseReadFault
  | NoiseWriteFault
  | ChannelFault
  | 'frame-too-long'
  | 'replayed'
  | 'limited'
  | 'bad-credential'
  | 'self';

interface LinkHandshakeProgress {
  /** Bytes to write to the connection now; may be empty. */
  readonly send: Uint8Array;
  /** Once, when the handshake is over. No further call is due. */
  readonly opened?: OpenedLink;
}

/** A link whose handshake is over: who is there, and the channel to it. */
export interface OpenedLink {
  readonly channel: SecureChannel;
  readonly peer: PeerId;
  /** The peer's X25519 static key, 32 bytes. */
  readonly noiseKey: Uint8Array;
  /** What the peer said with its credential, at most {@link LINK_HANDSHAKE_FRAME_MAX} bytes. */
  readonly payload: Uint8Array;
  /** Plaintexts that had come in behind the last handshake frame already. */
  readonly plaintexts: readonly Uint8Array[];
}

/** One side of the handshake of a TCP link (Noise XXpsk0 with signed names); the opening essay has the messages. */
export class LinkHandshake {
  readonly #options: LinkHandshakeOptions;
  readonly #noise: HandshakeState;
  #reader: FrameReader;
  #fault: LinkHandshakeFault | undefined;
  #opened = false;
  /** Message 1 came, and was read. */
  #greeted = false;
  #peer: { readonly id: PeerId; readonly payload: Uint8Array } | undefined;

  constructor(options: LinkHandshakeOptions) {
    assert((options.payload?.length ?? 0) <= LINK_PAYLOAD_MAX, 'a payload of at most 8 KiB');
    this.#options = options;
    // A stranger may make us hold no more than the length of message 1.
    this.#reader = new FrameReader(
      options.role === 'responder' ? FIRST_MESSAGE_LENGTH : LINK_HANDSHAKE_FRAME_MAX,
    );
    this.#noise = new HandshakeState({
      pattern: 'XXpsk0',
      role: options.role,
      prologue: concat(PROLOGUE_LABEL, options.cluster.clusterId),
      staticKey: options.identity.noise,
      psks: [options.cluster.psk],
      random: options.random,
    });
  }

  /** The initiator's first bytes. Asserts for a responder, and a second time. */
  start(): Uint8Array {
    const written = this.#noise.writeMessage(EMPTY);
    assert(written.ok, 'the first message mixes no key of the peer');
    return frame(written.value);
  }

  /** Reads bytes of the peer, cut anywhere; `chunk` is not kept. Not to be called after `opened`. */
  receive(chunk: Uint8Array): Result<LinkHandshakeProgress, LinkHandshakeFault> {
    assert(!this.#opened, 'after the handshake the bytes go to the channel');
    if (this.#fault !== undefined) return fail(this.#fault);
    this.#reader.push(chunk);
    const send: Uint8Array[] = [];
    for (;;) {
      const body = this.#reader.next();
      if (body === undefined) return ok({ send: concat(...send) });
      if (body === 'too-long') return this.#break('frame-too-long');
      // The responder of an unfinished handshake owes an answer before it may read on, and has given it below.
      const hashBefore = this.#noise.handshakeHash;
      const read = this.#noise.readMessage(body);
      if (!read.ok) return this.#break(read.reason);
      const fault = this.#takePayload(read.value, hashBefore) ?? this.#refusalOf(body);
      if (fault !== undefined) return this.#break(fault);
      if (this.#noise.ourTurn) {
        const written = this.#noise.writeMessage(this.#credential());
        if (!written.ok) return this.#break(written.reason);
        send.push(frame(written.value));
      }
      if (this.#noise.finished) return this.#open(concat(...send));
    }
  }

  /** Wipes the handshake that is given up (a deadline passed, the connection broke). */
  erase(): void {
    if (!this.#opened) this.#break('bad-tag');
  }

  #open(send: Uint8Array): Result<LinkHandshakeProgress, LinkHandshakeFault> {
    const noiseKey = this.#noise.remoteStatic;
    assert(this.#peer !== undefined && noiseKey !== undefined, 'both sides of XX name themselves');
    const split = this.#noise.split();
    const channel = new SecureChannel(split);
    eraseSplit(split);
    const rest = channel.receive(this.#reader.takeRest());
    if (!rest.ok) {
      channel.erase();
      return this.#break(rest.reason);
    }
    this.#opened = true;
    const { id: peer, payload } = this.#peer;
    return ok({ send, opened: { channel, peer, noiseKey, payload, plaintexts: rest.value } });
  }

  /** Message 1 says nothing; the others carry the credential of their sender. */
  #takePayload(payload: Uint8Array, hashBefore: Uint8Array): LinkHandshakeFault | undefined {
    const noiseKey = this.#noise.remoteStatic;
    if (noiseKey === undefined) return payload.length === 0 ? undefined : 'bad-credential';
    if (payload.length < CREDENTIAL_LENGTH) return 'bad-credential';
    const id = peerIdFromBytes(payload.subarray(0, 32));
    const signature = payload.subarray(32, CREDENTIAL_LENGTH);
    if (!verifySignature(id, this.#statement(hashBefore, noiseKey), signature)) return 'bad-credential';
    if (id === this.#options.identity.peer) return 'self';
    this.#peer = { id, payload: payload.slice(CREDENTIAL_LENGTH) };
    return undefined;
  }

  /** Why a responder does not answer the message 1 that it has just read; undefined for all others. */
  #refusalOf(body: Uint8Array): LinkHandshakeFault | undefined {
    if (this.#greeted || this.#options.role !== 'responder') return undefined;
    this.#greeted = true;
    const verdict = this.#options.admit?.(body.slice(0, EPHEMERAL_LENGTH)) ?? 'admit';
    if (verdict !== 'admit') return verdict;
    const rest = this.#reader.takeRest();
    this.#reader = new FrameReader(LINK_HANDSHAKE_FRAME_MAX);
    this.#reader.push(rest);
    return undefined;
  }

  #credential(): Uint8Array {
    const { identity, payload = EMPTY } = this.#options;
    const statement = this.#statement(this.#noise.handshakeHash, identity.noise.publicKey);
    return concat(peerIdBytes(identity.peer), sign(identity, statement), payload);
  }

  #statement(hash: Uint8Array, noiseKey: Uint8Array): Uint8Array {
    return concat(CREDENTIAL_LABEL, this.#options.cluster.clusterId, hash, noiseKey);
  }

  #break(fault: LinkHandshakeFault): Result<LinkHandshakeProgress, LinkHandshakeFault> {
    this.#fault ??= fault;
    this.#noise.erase();
    this.#reader.takeRest();
    return fail(this.#fault);
  }
}

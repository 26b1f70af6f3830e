import { assert } from '../../base/assert.ts';
import { readU64LE, writeU64LE } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import type { Identity } from '../../crypto/identity.ts';
import {
  LINK_FIRST_MESSAGE_MS,
  LINK_HANDSHAKE_MS,
  LinkHandshake,
  type LinkHandshakeFault,
  type LinkHandshakeOptions,
} from './link-handshake.ts';
import { CHANNEL_PLAINTEXT_MAX, type SecureChannel } from './secure-channel.ts';

/**
 * One TCP control link, which carries gossip frames: first the handshake (link-handshake.ts), then sealed frames
 * (secure-channel.ts). Pure: the bytes that TCP delivered go in, cut anywhere; frames and the bytes to write come out.
 *
 * A stranger costs one deadline and 50 bytes, sees no byte of ours, and is cut off after {@link LINK_FIRST_MESSAGE_MS}.
 * With the cluster's secret it may hold 16 KiB until {@link LINK_HANDSHAKE_MS} are over, counted from the same moment.
 * An established peer holds at most one unfinished frame (64 KiB).
 *
 * ```ts
 * const link = new ControlLink({ initiator: true, expected: peer, identity, clusterKeys, bootEpoch, random, now });
 * socket.write(link.start());
 * const progress = link.receive(chunk, now);   // a fault: socket.destroy()
 * ```
 */
export class ControlLink {
  readonly #initiator: boolean;
  readonly #expected: PeerId | undefined;
  #deadline: Instant;
  /** When the whole handshake must be over. */
  readonly #handshakeDeadline: Instant;
  #handshake: LinkHandshake | undefined;
  #channel: SecureChannel | undefined;
  #fault: LinkFault | undefined;

  /**
   * `expected`: the peer we mean to reach, if we know it. `bootEpoch` is told to the peer.
   * The handshake has {@link LINK_HANDSHAKE_MS} from `now`, and the peer that dialled us {@link LINK_FIRST_MESSAGE_MS}
   * of it for its first message. `admit`: see {@link LinkHandshakeOptions}.
   */
  constructor(options: {
    readonly initiator: boolean;
    readonly identity: Identity;
    readonly clusterKeys: ClusterKeys;
    readonly bootEpoch: number;
    readonly random: RandomSource;
    readonly now: Instant;
    readonly expected?: PeerId;
    readonly admit?: LinkHandshakeOptions['admit'];
  }) {
    const { initiator, identity, clusterKeys, bootEpoch, random, now } = options;
    assert(Number.isSafeInteger(bootEpoch) && bootEpoch >= 0, 'a boot epoch below 2^53');
    const payload = new Uint8Array(LINK_PAYLOAD_LENGTH);
    writeU64LE(payload, 0, bootEpoch);
    this.#initiator = initiator;
    this.#expected = options.expected;
    this.#handshakeDeadline = after(now, LINK_HANDSHAKE_MS);
    this.#deadline = initiator ? this.#handshakeDeadline : after(now, LINK_FIRST_MESSAGE_MS);
    this.#handshake = new LinkHandshake({
      role: initiator ? 'initiator' : 'responder',
      identity,
      cluster: clusterKeys,
      random,
      payload,
      ...(options.admit === undefined ? {} : { admit: options.admit }),
    });
  }

  /** Whether frames can be sent. */
  get isOpen(): boolean {
    return this.#channel !== undefined && this.#fault === undefined;
  }

  /** The first bytes to write: the initiator's message 1, nothing for a responder. Once. */
  start(): Uint8Array {
    return this.#initiator ? this.#handshake!.start() : NOTHING;
  }

  /**
   * Takes bytes of the peer, which are not kept. After a fault the connection is to be closed, without a word if
   * it was never open, and every further call gives the same fault.
   */
  receive(chunk: Uint8Array, now: Instant): Result<LinkProgress, LinkFault> {
    if (this.#fault !== undefined) return fail(this.#fault);
    if (this.#channel !== undefined) {
      const frames = this.#channel.receive(chunk);
      return frames.ok ? ok({ send: NOTHING, frames: frames.value }) : this.#break(frames.reason);
    }
    if (now >= this.#deadline) return this.#break('timeout');
    const progress = this.#handshake!.receive(chunk);
    if (!progress.ok) return this.#break(progress.reason);
    const { send, opened } = progress.value;
    if (send.length > 0) this.#deadline = this.#handshakeDeadline; // an answer goes out: message 1 was in order
    if (opened === undefined) return ok({ send, frames: [] });
    this.#channel = opened.channel;
    this.#handshake = undefined;
    if (this.#expected !== undefined && opened.peer !== this.#expected) return this.#break('unexpected-peer');
    if (opened.payload.length < LINK_PAYLOAD_LENGTH) return this.#break('bad-credential');
    const epoch = readU64LE(opened.payload, 0);
    if (!Number.isSafeInteger(epoch)) return this.#break('bad-credential');
    const peer = { id: opened.peer, noiseKey: opened.noiseKey, epoch };
    return ok({ send, opened: peer, frames: opened.plaintexts });
  }

  /** The bytes to write for one frame (at most {@link LINK_FRAME_MAX}); undefined while the link is not open. */
  send(frame: Uint8Array): Uint8Array | undefined {
    assert(frame.length <= LINK_FRAME_MAX, 'a frame of at most 65,519 bytes');
    return this.isOpen ? this.#channel!.seal(frame) : undefined;
  }

  /** 'timeout' when the handshake took too long: close the connection. */
  tick(now: Instant): 'timeout' | undefined {
    if (this.#channel !== undefined || this.#fault !== undefined || now < this.#deadline) return undefined;
    this.#break('timeout');
    return 'timeout';
  }

  nextTimeout(): Instant | undefined {
    return this.#channel === undefined && this.#fault === undefined ? this.#deadline : undefined;
  }

  /** Erases all keys. Nothing can be sent or received afterwards. */
  close(): void {
    this.#break('closed');
  }

  #break(fault: LinkFault): Result<LinkProgress, LinkFault> {
    this.#fault ??= fault;
    this.#handshake?.erase();
    this.#handshake = undefined;
    this.#channel?.erase();
    return fail(this.#fault);
  }
}

/** What bytes of the peer led to. */
export interface LinkProgress {
  /** Bytes to write now; may be empty. */
  readonly send: Uint8Array;
  /** Once: who the peer is, proven by its static key and its signature over this very handshake. */
  readonly opened?: LinkPeer;
  /** Whole frames of the peer, in fresh bytes, in order. */
  readonly frames: readonly Uint8Array[];
}

/** The other end of an open link. */
interface LinkPeer {
  readonly id: PeerId;
  /** Its X25519 static key, 32 bytes. */
  readonly noiseKey: Uint8Array;
  /** Its boot epoch. */
  readonly epoch: number;
}

/**
 * - `timeout`: the first message, or the handshake, took too long
 * - `unexpected-peer`: another peer than the one we meant to reach
 * - `closed`: {@link ControlLink.close} was called
 */
export type LinkFault = LinkHandshakeFault | 'timeout' | 'unexpected-peer' | 'closed';

/** The payload of both credentials begins with the boot epoch, u64; what follows is a newer peer's and ignored. */
const LINK_PAYLOAD_LENGTH = 8;
const NOTHING = new Uint8Array(0);
/** Bytes in one frame. */
export const LINK_FRAME_MAX = CHANNEL_PLAINTEXT_MAX;

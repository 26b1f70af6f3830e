import { assert } from '../../base/assert.ts';
import { utf8, writeU16LE } from '../../base/bytes.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { KEY_LENGTH, TAG_LENGTH } from '../../crypto/aead-engine.ts';
import { chachaOpen, chachaSeal } from '../../crypto/chacha20-poly1305.ts';
import { deriveKey, hkdf } from '../../crypto/hash.ts';
import type { SplitKeys } from '../../crypto/noise.ts';
import { erase } from '../../crypto/secret-bytes.ts';
import { FRAME_HEADER_LENGTH, FRAME_MAX, FrameReader } from './frame-reader.ts';

/** Frames sealed under one key before both sides move on to the next. */
export const CHANNEL_REKEY_FRAMES = 65_536;
/** The longest plaintext of a frame, in bytes. */
export const CHANNEL_PLAINTEXT_MAX = FRAME_MAX - TAG_LENGTH;

const CHANNEL_LABEL = utf8('weft channel v1');
const RATCHET_LABEL = utf8('weft channel ratchet');

/**
 * - `too-short`: a frame without room for a tag
 * - `bad-tag`: altered, lost, repeated or reordered bytes
 *
 * After either the stream cannot be trusted to be in step, and every further call gives the same.
 */
export type ChannelFault = 'too-short' | 'bad-tag';

/**
 * What follows the handshake on a TCP connection: a stream of sealed frames in each direction.
 *
 * ```
 * 0        2                        2 + length
 * | length | ciphertext … | tag 16 |              length: u16 LE, 16 to 65,535
 * ```
 *
 * ChaCha20-Poly1305; the two bytes of length are the additional data; the nonce is the number of the frame under
 * its key, which TCP's order makes needless to send. Every 65,536 frames each key is replaced by
 * HKDF(key, "weft channel ratchet") and wiped, so that what was sent long ago stays closed to who takes the
 * memory later.
 */
export class SecureChannel {
  readonly #sender: Ratchet;
  readonly #receiver: Ratchet;
  readonly #reader = new FrameReader(FRAME_MAX);
  #fault: ChannelFault | undefined;

  /** Keys from `split`, which stays the caller's to erase. */
  constructor(split: SplitKeys) {
    this.#sender = new Ratchet(hkdf(split.handshakeHash, split.send, CHANNEL_LABEL, KEY_LENGTH));
    this.#receiver = new Ratchet(hkdf(split.handshakeHash, split.receive, CHANNEL_LABEL, KEY_LENGTH));
  }

  /** Bytes held back for an unfinished frame; at most one frame. */
  get pendingBytes(): number {
    return this.#reader.pendingBytes;
  }

  /** The frame that carries `plaintext` (0 to {@link CHANNEL_PLAINTEXT_MAX} bytes), in fresh bytes. */
  seal(plaintext: Uint8Array): Uint8Array {
    assert(plaintext.length <= CHANNEL_PLAINTEXT_MAX, 'a plaintext that fits a frame');
    const length = plaintext.length + TAG_LENGTH;
    const out = new Uint8Array(FRAME_HEADER_LENGTH + length);
    writeU16LE(out, 0, length);
    const header = out.subarray(0, FRAME_HEADER_LENGTH);
    const counter = this.#sender.advance();
    chachaSeal(this.#sender.key, counter, header, plaintext, out, FRAME_HEADER_LENGTH);
    return out;
  }

  /**
   * The plaintexts of all frames that `chunk` completes, in fresh bytes. `chunk` may be cut anywhere and is not
   * kept. With a fault the plaintexts of the same chunk are dropped: the connection is to be closed.
   */
  receive(chunk: Uint8Array): Result<Uint8Array[], ChannelFault> {
    if (this.#fault !== undefined) return fail(this.#fault);
    const plaintexts: Uint8Array[] = [];
    this.#reader.push(chunk);
    for (let body = this.#reader.next(); body !== undefined; body = this.#reader.next()) {
      assert(body !== 'too-long', 'a bound that no u16 exceeds');
      if (body.length < TAG_LENGTH) return this.#break('too-short');
      const plaintext = this.#open(body);
      if (plaintext === undefined) return this.#break('bad-tag');
      plaintexts.push(plaintext);
    }
    return ok(plaintexts);
  }

  /** Wipes the keys. Nothing can be sealed or opened afterwards. */
  erase(): void {
    this.#sender.erase();
    this.#receiver.erase();
    this.#reader.takeRest();
    this.#fault ??= 'bad-tag';
  }

  #open(body: Uint8Array): Uint8Array | undefined {
    const header = new Uint8Array(FRAME_HEADER_LENGTH);
    writeU16LE(header, 0, body.length);
    const plaintext = new Uint8Array(body.length - TAG_LENGTH);
    const counter = this.#receiver.advance();
    return chachaOpen(this.#receiver.key, counter, header, body, plaintext, 0) < 0 ? undefined : plaintext;
  }

  #break(fault: ChannelFault): Result<Uint8Array[], ChannelFault> {
    this.#fault = fault;
    this.#reader.takeRest();
    this.#receiver.erase();
    return fail(fault);
  }
}

/** One direction: a key, how often it was used, and the step to the next. */
class Ratchet {
  #key: Uint8Array;
  #used = 0;
  #erased = false;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  get key(): Uint8Array {
    return this.#key;
  }

  /** The counter of the next frame under {@link key}, taken before it is used. */
  advance(): number {
    assert(!this.#erased, 'an erased channel seals nothing');
    if (this.#used === CHANNEL_REKEY_FRAMES) {
      const next = deriveKey(this.#key, RATCHET_LABEL);
      erase(this.#key);
      this.#key = next;
      this.#used = 0;
    }
    return this.#used++;
  }

  erase(): void {
    erase(this.#key);
    this.#erased = true;
  }
}

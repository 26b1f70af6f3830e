import { assert } from '../../base/assert.ts';
import { readU16LE, writeU16LE } from '../../base/bytes.ts';

/** Bytes of the length before each frame. */
export const FRAME_HEADER_LENGTH = 2;
/** The longest frame a u16 can announce. */
export const FRAME_MAX = 65_535;

const EMPTY = new Uint8Array(0);
/** The first allocation for a frame that comes in pieces, in bytes; then doubling as bytes really arrive. */
const FIRST_PENDING = 512;

/**
 * Cuts a TCP byte stream into frames:
 *
 * ```
 * 0        2
 * | length | body, `length` bytes |      length: u16, little endian
 * ```
 *
 * Holds no more than one unfinished frame, and of that only what has arrived, so that announcing a long one
 * costs a peer as much as it costs us.
 */
export class FrameReader {
  readonly #maxBytes: number;
  #chunk: Uint8Array = EMPTY;
  #pending: Uint8Array = EMPTY;
  #pendingLength = 0;
  #tooLong = false;

  /** `maxBytes`: the longest body taken, at most {@link FRAME_MAX}. */
  constructor(maxBytes: number) {
    assert(maxBytes >= 1 && maxBytes <= FRAME_MAX, 'a bound of frames that fits their header');
    this.#maxBytes = maxBytes;
  }

  /** Bytes held back for an unfinished frame. */
  get pendingBytes(): number {
    return this.#pendingLength;
  }

  /** Takes the next bytes. They are kept, not copied, until {@link next} has gone through them. */
  push(chunk: Uint8Array): void {
    assert(this.#chunk.length === 0, 'the chunk before was read to its end');
    if (!this.#tooLong) this.#chunk = chunk;
  }

  /**
   * The body of the next whole frame, a view that holds until the next {@link push}; undefined when more bytes
   * are needed; `too-long`, from then on always, when a frame beyond the bound was announced.
   */
  next(): Uint8Array | 'too-long' | undefined {
    if (this.#tooLong) return 'too-long';
    if (this.#pendingLength === 0) {
      const whole = this.#wholeFrame();
      if (whole !== undefined) return whole;
    }
    if (this.#pendingLength < FRAME_HEADER_LENGTH && !this.#collect(FRAME_HEADER_LENGTH)) return undefined;
    const length = readU16LE(this.#pending, 0);
    if (length > this.#maxBytes) return this.#refuse();
    if (!this.#collect(FRAME_HEADER_LENGTH + length)) return undefined;
    const body = this.#pending.subarray(FRAME_HEADER_LENGTH, FRAME_HEADER_LENGTH + length);
    this.#pending = EMPTY;
    this.#pendingLength = 0;
    return body;
  }

  /** All bytes not yet returned as frames, in fresh bytes; the reader is empty afterwards. */
  takeRest(): Uint8Array {
    const rest = new Uint8Array(this.#pendingLength + this.#chunk.length);
    rest.set(this.#pending.subarray(0, this.#pendingLength));
    rest.set(this.#chunk, this.#pendingLength);
    this.#pending = EMPTY;
    this.#pendingLength = 0;
    this.#chunk = EMPTY;
    return rest;
  }

  /** A frame that lies in the chunk from end to end: no copy. */
  #wholeFrame(): Uint8Array | 'too-long' | undefined {
    if (this.#chunk.length < FRAME_HEADER_LENGTH) return undefined;
    const length = readU16LE(this.#chunk, 0);
    if (length > this.#maxBytes) return this.#refuse();
    const end = FRAME_HEADER_LENGTH + length;
    if (this.#chunk.length < end) return undefined;
    const body = this.#chunk.subarray(FRAME_HEADER_LENGTH, end);
    this.#chunk = this.#chunk.subarray(end);
    return body;
  }

  /** Moves bytes from the chunk until `wanted` are pending; whether they are. */
  #collect(wanted: number): boolean {
    const taken = this.#chunk.subarray(0, wanted - this.#pendingLength);
    const filled = this.#pendingLength + taken.length;
    if (filled > this.#pending.length) {
      const capacity = Math.min(
        Math.max(filled, 2 * this.#pending.length, FIRST_PENDING),
        this.#maxBytes + 2,
      );
      const grown = new Uint8Array(capacity);
      grown.set(this.#pending.subarray(0, this.#pendingLength));
      this.#pending = grown;
    }
    this.#pending.set(taken, this.#pendingLength);
    this.#pendingLength = filled;
    // Not an empty view, which would keep the whole chunk in memory.
    this.#chunk = taken.length === this.#chunk.length ? EMPTY : this.#chunk.subarray(taken.length);
    return filled === wanted;
  }

  #refuse(): 'too-long' {
    this.#tooLong = true;
    this.#chunk = EMPTY;
    this.#pending = EMPTY;
    this.#pendingLength = 0;
    return 'too-long';
  }
}

/** `body` with its length before it, in fresh bytes. */
export function frame(body: Uint8Array): Uint8Array {
  assert(body.length <= FRAME_MAX, 'a frame of at most 65,535 bytes');
  const out = new Uint8Array(FRAME_HEADER_LENGTH + body.length);
  writeU16LE(out, 0, body.length);
  out.set(body, FRAME_HEADER_LENGTH);
  return out;
}

import { assert } from '../base/assert.ts';
import { readU32LE, readU64LE, writeU32LE, writeU64LE } from '../base/bytes.ts';

/** Bits kept: a power of two of 32-bit blocks. */
const BLOCK_COUNT = 256;
const BLOCK_BITS = 32;

/**
 * How far behind the newest counter a packet may come and still be accepted. One block less than the bits kept,
 * since the block of the newest counter is seldom full (RFC 6479 §3). At least 8128, as WireGuard has it.
 */
export const REPLAY_WINDOW_SIZE = (BLOCK_COUNT - 1) * BLOCK_BITS;

/** Bytes of a window that was saved. */
export const SAVED_WINDOW_LENGTH = 8 + (BLOCK_COUNT * BLOCK_BITS) / 8;

/**
 * Which counters of one receiving key were seen, by the method of RFC 6479: a ring of bit blocks, so that moving
 * the window clears whole blocks and shifts nothing. 1 KiB a key. Each counter is accepted at most once; below
 * the window and from 2^53 on (where numbers are no longer exact) none.
 *
 * A packet goes through {@link check} before its tag is verified, which is cheap and changes nothing, and
 * through {@link accept} after; so a forged packet cannot move the window.
 */
export class ReplayWindow {
  readonly #blocks = new Uint32Array(BLOCK_COUNT);
  #newest = -1;

  /** `saved`: what {@link save} gave of the same key; this one goes on where that one was. */
  constructor(saved?: Uint8Array) {
    if (saved === undefined) return;
    assert(saved.length === SAVED_WINDOW_LENGTH, 'a saved window has its length');
    this.#newest = readU64LE(saved, 0) - 1;
    for (let i = 0; i < BLOCK_COUNT; i++) this.#blocks[i] = readU32LE(saved, 8 + 4 * i);
  }

  /**
   * All of it, for another one of the same key:
   *
   * ```
   *   0                8                    1032
   *   | newest + 1, u64 | 256 blocks, u32 … |     little endian
   * ```
   */
  save(): Uint8Array {
    const out = new Uint8Array(SAVED_WINDOW_LENGTH);
    writeU64LE(out, 0, this.#newest + 1);
    for (let i = 0; i < BLOCK_COUNT; i++) writeU32LE(out, 8 + 4 * i, this.#blocks[i]!);
    return out;
  }

  /** The highest counter accepted so far, −1 before the first. */
  get newest(): number {
    return this.#newest;
  }

  /** Whether `counter`, from the wire, may still be accepted. */
  check(counter: number): boolean {
    if (!Number.isSafeInteger(counter) || counter < 0) return false;
    if (counter > this.#newest) return true;
    if (this.#newest - counter >= REPLAY_WINDOW_SIZE) return false;
    return (this.#blocks[blockOf(counter)]! & bitOf(counter)) === 0;
  }

  /** Marks `counter` as seen. False where it was, or is too old: then the packet is a replay and nothing changed. */
  accept(counter: number): boolean {
    if (!this.check(counter)) return false;
    if (counter > this.#newest) {
      this.#clearBetween(this.#newest, counter);
      this.#newest = counter;
    }
    this.#blocks[blockOf(counter)]! |= bitOf(counter);
    return true;
  }

  /** Empties the blocks that begin after `newest`, up to the one of `counter`. */
  #clearBetween(newest: number, counter: number): void {
    const from = Math.floor(newest / BLOCK_BITS);
    const steps = Math.min(Math.floor(counter / BLOCK_BITS) - from, BLOCK_COUNT);
    for (let i = 1; i <= steps; i++) this.#blocks[(from + i) % BLOCK_COUNT] = 0;
  }
}

/** `>>>` takes a number modulo 2^32, exactly, and the ring divides that. */
function blockOf(counter: number): number {
  return (counter >>> 5) % BLOCK_COUNT;
}

function bitOf(counter: number): number {
  return 1 << (counter % BLOCK_BITS);
}

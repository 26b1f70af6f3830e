import { assert } from '../base/assert.ts';
import { readU32LE, readU64LE, writeU32LE, writeU64LE } from '../base/bytes.ts';

/** Bits kept: a power of two of 32-bit blocks. */
const BLOCK_COUNT = 1024;
const BLOCK_BITS = 32;

/**
 * How far behind the newest counter a packet may come and still be accepted. One block less than the bits kept,
 * since the block of the newest counter is seldom full (RFC 6479 §3). WireGuard has 8128 for one flow through the network;
 * a peer here may use 16, and what waits in one of them is overtaken by all of the others (docs/adr/0018-fast-datapath.md).
 */
export const REPLAY_WINDOW_SIZE = (BLOCK_COUNT - 1) * BLOCK_BITS;

/** Blocks of a window that was saved: the newest, as many as the first version kept. */
const SAVED_BLOCKS = 256;
/** Bytes of a window that was saved. */
export const SAVED_WINDOW_LENGTH = 8 + (SAVED_BLOCKS * BLOCK_BITS) / 8;

/**
 * Which counters of one receiving key were seen, by the method of RFC 6479: a ring of bit blocks, so that moving
 * the window clears whole blocks and shifts nothing. 4 KiB a key. Each counter is accepted at most once; below
 * the window and from 2^53 on (where numbers are no longer exact) none.
 *
 * A packet goes through {@link check} before its tag is verified, which is cheap and changes nothing, and
 * through {@link accept} after; so a forged packet cannot move the window.
 */
export class ReplayWindow {
  readonly #blocks = new Uint32Array(BLOCK_COUNT);
  #newest = -1;

  /** `saved`: what {@link save} gave of the same key; this one goes on where that one was. What is older counts as seen. */
  constructor(saved?: Uint8Array) {
    if (saved === undefined) return;
    assert(saved.length === SAVED_WINDOW_LENGTH, 'a saved window has its length');
    this.#newest = readU64LE(saved, 0) - 1;
    this.#blocks.fill(0xffff_ffff);
    for (const number of this.#savedBlocks())
      this.#blocks[number % BLOCK_COUNT] = readU32LE(saved, 8 + 4 * (number % SAVED_BLOCKS));
  }

  /**
   * The newest of it, for another one of the same key:
   *
   * ```
   *   0                8                    1032
   *   | newest + 1, u64 | 256 blocks, u32 … |     little endian; block n holds counters from 32 n, and is at n % 256
   * ```
   */
  save(): Uint8Array {
    const out = new Uint8Array(SAVED_WINDOW_LENGTH);
    writeU64LE(out, 0, this.#newest + 1);
    for (const number of this.#savedBlocks())
      writeU32LE(out, 8 + 4 * (number % SAVED_BLOCKS), this.#blocks[number % BLOCK_COUNT]!);
    return out;
  }

  /** The numbers of the blocks that are saved. */
  #savedBlocks(): number[] {
    const last = Math.floor(this.#newest / BLOCK_BITS);
    return Array.from({ length: SAVED_BLOCKS }, (_, i) => last - i).filter((number) => number >= 0);
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

import { assert } from '../../base/assert.ts';
import { readU32LE } from '../../base/bytes.ts';
import type { RandomSource } from '../../base/random.ts';

/**
 * The indices that we choose and peers write into their packets to us: of sessions, and of initiations under way. Each
 * belongs to one owner. They are random, so that who sees one learns nothing of the others.
 */
export class TunnelIndices<Owner> {
  readonly #random: RandomSource;
  readonly #sizeMax: number;
  readonly #ownerByIndex = new Map<number, Owner>();

  /** `sizeMax`: more at once are a bug of ours, and assert. */
  constructor(options: { readonly random: RandomSource; readonly sizeMax: number }) {
    this.#random = options.random;
    this.#sizeMax = options.sizeMax;
  }

  /** Indices in use. */
  get size(): number {
    return this.#ownerByIndex.size;
  }

  /** A new index of `owner`, from 1 to 2^32 − 1. */
  allocate(owner: Owner): number {
    assert(this.#ownerByIndex.size < this.#sizeMax, 'indices are bounded by what their owners may hold');
    for (;;) {
      const index = readU32LE(this.#random.bytes(4), 0);
      if (index === 0 || this.#ownerByIndex.has(index)) continue;
      this.#ownerByIndex.set(index, owner);
      return index;
    }
  }

  /** Takes an index that another weftd of this node gave `owner`. False where it is in use. */
  claim(index: number, owner: Owner): boolean {
    if (this.#ownerByIndex.has(index)) return false;
    assert(this.#ownerByIndex.size < this.#sizeMax, 'indices are bounded by what their owners may hold');
    this.#ownerByIndex.set(index, owner);
    return true;
  }

  /** The index is free again. Unknown ones are ignored. */
  release(index: number): void {
    this.#ownerByIndex.delete(index);
  }

  ownerOf(index: number): Owner | undefined {
    return this.#ownerByIndex.get(index);
  }
}

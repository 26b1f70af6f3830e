import type { Family } from '../../base/address.ts';
import type { PeerId } from '../../base/peer-id.ts';

/** Neighbouring addresses with one owner, which all have changed hands equally often. */
interface Segment {
  readonly start: bigint;
  readonly end: bigint;
  readonly owner: PeerId;
  /** How often these addresses have changed hands since the genesis. */
  readonly version: number;
}

/**
 * Sorted, disjoint segments of one family. Neighbours differ in owner or version.
 * Finding takes O(log n), replacing O(n) in a memmove.
 */
export class SegmentMap {
  readonly family: Family;
  readonly #segments: Segment[] = [];

  constructor(family: Family) {
    this.family = family;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** The segment that holds `value`. */
  at(value: bigint): Segment | undefined {
    const segment = this.#segments[this.#indexAt(value)];
    return segment && segment.end > value ? segment : undefined;
  }

  /** Segments that overlap [start, end), whole. */
  overlapping(start: bigint, end: bigint): Segment[] {
    const out: Segment[] = [];
    for (let i = Math.max(this.#indexAt(start), 0); i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      if (segment.start >= end) break;
      if (segment.end > start) out.push(segment);
    }
    return out;
  }

  /** [start, end) becomes `owner`'s at `version`, whatever it was. */
  set(start: bigint, end: bigint, owner: PeerId, version: number): void {
    const all = this.#segments;
    let from = Math.max(this.#indexAt(start), 0);
    // Also take in a neighbour that merely touches, so that equal ones melt together.
    if (from > 0) from--;
    let to = from;
    while (to < all.length && all[to]!.start <= end) to++;
    const pieces: Segment[] = [];
    const push = (piece: Segment): void => {
      const last = pieces.at(-1);
      if (piece.start >= piece.end) return;
      if (last && last.end === piece.start && last.owner === piece.owner && last.version === piece.version)
        pieces[pieces.length - 1] = { ...last, end: piece.end };
      else pieces.push(piece);
    };
    for (const old of all.slice(from, to)) push({ ...old, end: old.end < start ? old.end : start });
    push({ start, end, owner, version });
    for (const old of all.slice(from, to)) push({ ...old, start: old.start > end ? old.start : end });
    all.splice(from, to - from, ...pieces);
  }

  /** The last segment that starts at or before `value`; -1 where there is none. */
  #indexAt(value: bigint): number {
    let [low, high] = [0, this.#segments.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.start <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

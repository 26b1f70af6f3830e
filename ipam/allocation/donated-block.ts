import type { Interval } from './free-space.ts';

/** A block is at most this part of the chunk that it is cut from. */
const LARGEST_PART = { of: 5n, in: 8n } as const;
/** A peer that owns more than the donor gets at most this part of what the donor has free. */
const RICHER_PEERS_PART = 8n;

/**
 * How many addresses a donor may give in one block, of `free` that are free and `owned` that it owns, to a peer that owns
 * `theirs`. Who already has more than the donor gets little: it may need it, but it cannot drain the donor.
 */
export function donationLimit(free: bigint, owned: bigint, theirs: bigint): bigint {
  return theirs > owned ? free / RICHER_PEERS_PART : free;
}

/**
 * The block to give away out of `free`: an aligned power of two of addresses, about half (at most 5/8) of the largest
 * chunk that lies in one of `owned` (the grantor's segments: a grant may not cross them), and at most `limit`.
 * The keeper is never left without an address. Undefined where nothing can be given.
 */
export function donatedBlock(
  free: readonly Interval[],
  owned: readonly Interval[],
  limit: bigint,
): Interval | undefined {
  let best: Interval | undefined;
  let next = 0;
  for (const segment of owned) {
    while (next < free.length && free[next]!.end <= segment.start) next++;
    for (let i = next; i < free.length && free[i]!.start < segment.end; i++) {
      const start = free[i]!.start > segment.start ? free[i]!.start : segment.start;
      const end = free[i]!.end < segment.end ? free[i]!.end : segment.end;
      if (best === undefined || end - start > best.end - best.start) best = { start, end };
    }
  }
  if (best === undefined || best.end - best.start < 2n) return undefined;
  const most = ((best.end - best.start) * LARGEST_PART.of) / LARGEST_PART.in;
  let size = 1n;
  while (size * 2n <= most && size * 2n <= limit) size *= 2n;
  for (; size >= 1n; size /= 2n) {
    const end = best.end - (best.end % size);
    if (end - size >= best.start) return { start: end - size, end };
  }
  return undefined;
}

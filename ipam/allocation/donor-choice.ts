import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, shuffle } from '../../base/random.ts';
import type { FreeHints } from '../model/types.ts';
import { ORIGIN_LIMIT, type Ring } from '../ring/ring.ts';
import { type Allocator, familiesOf } from './allocator.ts';

/** A node asks for more before it runs dry: when less than this part of what it owns is free. */
const LOW_WATER = 8n;

/** Which families `allocator` is low in. Bit 0: IPv4, bit 1: IPv6. */
export function wantedFamilies(allocator: Allocator, { view }: Ring): number {
  let wanted = 0;
  for (const family of familiesOf(view.genesis?.universes ?? [])) {
    const space = allocator.space(family);
    if (space === undefined || space.count * LOW_WATER < space.owned || space.count === 0n)
      wanted |= family === 4 ? 1 : 2;
  }
  return wanted;
}

/** What a node says it could give. */
export function freeHintsOf(allocator: Allocator): FreeHints {
  const hints: { 4?: number; 6?: number } = {};
  for (const family of [4, 6] as const) {
    let largest = 0n;
    for (const { start, end } of allocator.space(family)?.intervals ?? [])
      if (end - start > largest) largest = end - start;
    if (largest >= 2n) hints[family] = largest.toString(2).length - 1;
  }
  return hints;
}

/** Whom to ask for a range. What peers say of their free space only steers the order. */
export class DonorChoice {
  readonly #random: RandomSource;
  readonly #freeByPeer = new Map<PeerId, FreeHints>();

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** What a peer says it could give. */
  note(peer: PeerId, free: FreeHints): void {
    if (this.#freeByPeer.size >= ORIGIN_LIMIT && !this.#freeByPeer.has(peer)) return;
    this.#freeByPeer.set(peer, free);
  }

  /**
   * Live owners but ourselves, those first who say that they have most; equal ones in random order. Every second one is
   * from those to whom a way stands already, so that a node which reaches only its neighbours is soon helped too.
   */
  best(families: number, { self, ring, isAlive, hasWayTo }: DonorChoiceOptions): PeerId[] {
    const family = families & 1 ? 4 : 6;
    const { members, forked } = ring.view;
    const able = [...ring.ownerSet()].filter(
      (peer) => peer !== self && members.has(peer) && !forked.has(peer) && isAlive(peer),
    );
    const hint = (peer: PeerId): number => this.#freeByPeer.get(peer)?.[family] ?? -1;
    const byFree = shuffle(this.#random, able).sort((a, b) => hint(b) - hint(a));
    const near = byFree.filter(hasWayTo);
    return [...new Set(byFree.flatMap((peer, i) => [peer, near[i] ?? peer]))];
  }
}

/** By what donors are chosen. */
interface DonorChoiceOptions {
  readonly self: PeerId;
  readonly ring: Ring;
  isAlive(peer: PeerId): boolean;
  hasWayTo(peer: PeerId): boolean;
}

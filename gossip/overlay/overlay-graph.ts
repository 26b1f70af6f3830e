import type { PeerId } from '../../base/peer-id.ts';

/** First hops kept for a destination: more equal ways than these bring nothing. */
const MAX_FIRST_HOPS = 16;

/**
 * The graph of overlay links, as far as we can tell: our own links, which we know, and among others those that both
 * ends claim in their signed records. One end's claim is not believed, so a liar can neither draw traffic over links
 * that do not exist nor hide that the overlay has fallen apart.
 */
export class OverlayGraph {
  readonly #isPresent: (peer: PeerId) => boolean;
  readonly #claimsByPeer = new Map<PeerId, ReadonlySet<PeerId>>();
  #own: ReadonlySet<PeerId> = new Set();
  #firstHops: Map<PeerId, readonly PeerId[]> | undefined;

  /** `isPresent`: members not present (dead, gone) are no part of any way; call {@link touch} when it changes. */
  constructor(isPresent: (peer: PeerId) => boolean) {
    this.#isPresent = isPresent;
  }

  /** The links that `peer` claims in its record. */
  setClaims(peer: PeerId, links: readonly PeerId[]): void {
    this.#claimsByPeer.set(peer, new Set(links));
    this.touch();
  }

  remove(peer: PeerId): void {
    if (this.#claimsByPeer.delete(peer)) this.touch();
  }

  /** The peers we hold links with. */
  setOwn(peers: Iterable<PeerId>): void {
    this.#own = new Set(peers);
    this.touch();
  }

  /** How many links `peer` claims. */
  degreeOf(peer: PeerId): number {
    return this.#claimsByPeer.get(peer)?.size ?? 0;
  }

  /** Forgets what was worked out. */
  touch(): void {
    this.#firstHops = undefined;
  }

  /** Whether `peer` can be reached from us over links. */
  reaches(peer: PeerId): boolean {
    return this.#hops().has(peer);
  }

  /** The neighbours that begin a shortest way to `to`, at most {@link MAX_FIRST_HOPS}; none where there is no way. */
  nextHops(to: PeerId): readonly PeerId[] {
    return this.#hops().get(to) ?? [];
  }

  /**
   * The neighbours over which `to` may be reached when it cannot be reached directly, at most {@link MAX_FIRST_HOPS}:
   * those that begin a shortest way; where `to` is a neighbour itself, those that have a link with it too. (A link says
   * that TCP gets through, which says nothing of UDP.)
   */
  relaysTo(to: PeerId): readonly PeerId[] {
    const hops = this.nextHops(to);
    if (!hops.includes(to)) return hops;
    const shared = [...this.#own].filter(
      (peer) => peer !== to && this.#claimsByPeer.get(peer)?.has(to) && this.#claimsByPeer.get(to)?.has(peer),
    );
    return shared.slice(0, MAX_FIRST_HOPS);
  }

  /** Breadth first from ourselves; a peer inherits the first hops of all its predecessors on shortest ways. */
  #hops(): Map<PeerId, readonly PeerId[]> {
    if (this.#firstHops) return this.#firstHops;
    const hops = new Map<PeerId, readonly PeerId[]>();
    for (const peer of this.#own) hops.set(peer, [peer]);
    let level = [...this.#own];
    while (level.length > 0) {
      const next = new Map<PeerId, Set<PeerId>>();
      for (const peer of level) {
        for (const neighbour of this.#claimsByPeer.get(peer) ?? []) {
          if (hops.has(neighbour) || !this.#isPresent(neighbour)) continue;
          if (!this.#claimsByPeer.get(neighbour)?.has(peer)) continue;
          let inherited = next.get(neighbour);
          if (!inherited) {
            inherited = new Set();
            next.set(neighbour, inherited);
          }
          for (const hop of hops.get(peer)!) if (inherited.size < MAX_FIRST_HOPS) inherited.add(hop);
        }
      }
      for (const [peer, inherited] of next) hops.set(peer, [...inherited]);
      level = [...next.keys()];
    }
    this.#firstHops = hops;
    return hops;
  }
}

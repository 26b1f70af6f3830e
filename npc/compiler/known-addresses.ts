import type { Family } from '../../base/address.ts';
import { formatRange } from '../../base/range.ts';
import type { ClusterIndex } from './cluster-index.ts';
import { type FamilySets, familyOf, type LiveSets } from './live-set.ts';

/**
 * The addresses of pods that somebody is known to have, as sets that rules look up: who is in none of them, though his
 * address is of the ranges of pods, is a stranger (see {@link ClusterIndex}). They are followed as long as rules use them.
 */
export class KnownAddresses {
  readonly #cluster: ClusterIndex;
  readonly #liveSets: LiveSets;
  #sets: FamilySets | undefined;
  #ofNodes: ReadonlySet<string> = new Set();
  /** Another one whenever the ranges are others. */
  version = 0;

  constructor(cluster: ClusterIndex, liveSets: LiveSets) {
    this.#cluster = cluster;
    this.#liveSets = liveSets;
  }

  /** The ranges of pods of one family, as CIDRs. */
  rangesOf(family: Family): readonly string[] {
    return this.#cluster.podRanges.filter((range) => range.family === family).map(formatRange);
  }

  get sets(): FamilySets {
    this.#sets ??= this.#follow();
    return this.#sets;
  }

  #follow(): FamilySets {
    const known: Record<Family, Set<string>> = { 4: new Set(), 6: new Set() };
    for (const address of this.#cluster.addresses())
      if (this.#holds(address)) known[familyOf(address)].add(address);
    this.#ofNodes = new Set(this.#cluster.addressesOfNodes());
    return {
      4: this.#liveSets.of('h4-', 'known', 4, [...known[4]]),
      6: this.#liveSets.of('h6-', 'known', 6, [...known[6]]),
    };
  }

  #holds(address: string): boolean {
    return this.#cluster.isOfPodRanges(address) && this.#cluster.isKnown(address);
  }

  /** Who has these addresses may have changed. */
  update(addresses: Iterable<string>): void {
    if (this.#sets === undefined) return;
    for (const address of addresses) this.#sets[familyOf(address)].set(address, this.#holds(address));
  }

  /** It may have become known, or have ceased to be. */
  updateNamespace(namespace: string): void {
    if (this.#sets === undefined) return;
    for (const pod of this.#cluster.podsIn(namespace)) this.update(this.#cluster.addressesOf(pod));
  }

  /** Nodes changed, or their addresses on the overlay. */
  updateNodes(): void {
    if (this.#sets === undefined) return;
    const before = this.#ofNodes;
    this.#ofNodes = new Set(this.#cluster.addressesOfNodes());
    this.update([...before, ...this.#ofNodes].filter((one) => before.has(one) !== this.#ofNodes.has(one)));
  }

  /** The ranges of pods are others. */
  updateRanges(): void {
    this.version++;
    if (this.#sets !== undefined) this.#sets = this.#follow();
  }

  /** Forgets the sets where they are not in use. */
  keep(isInUse: boolean): void {
    if (!isInUse) this.#sets = undefined;
  }
}

import { parseAddress } from '../../base/address.ts';
import { formatRange } from '../../base/range.ts';
import { type AddressBlocks, blocksContain } from '../model/address-blocks.ts';
import { type LabelSelector, selectorText, selects } from '../model/label-selector.ts';
import type { ClusterIndex } from './cluster-index.ts';
import { type FamilySets, familyOf, type LiveSets } from './live-set.ts';

/** The addresses of nodes that a peer means. */
export class NodeSet {
  readonly sets: FamilySets;
  readonly #addressesIn: (cluster: ClusterIndex) => Iterable<string>;
  /** Another one whenever the set of a family became empty, or ceased to be. */
  version = 0;

  constructor(sets: FamilySets, addressesIn: (cluster: ClusterIndex) => Iterable<string>) {
    this.sets = sets;
    this.#addressesIn = addressesIn;
  }

  /** Nodes changed. */
  update(cluster: ClusterIndex): void {
    const wanted = { 4: new Set<string>(), 6: new Set<string>() };
    for (const address of this.#addressesIn(cluster)) wanted[familyOf(address)].add(address);
    for (const family of [4, 6] as const) {
      const wasEmpty = this.sets[family].isEmpty;
      this.sets[family].replace(wanted[family]);
      if (this.sets[family].isEmpty !== wasEmpty) this.version++;
    }
  }
}

/** A list of blocks, and the overlay addresses of the nodes whose own address lies in it. */
interface BlockSets {
  /** Of a family in which the list has blocks. It never changes. */
  readonly blocks: Partial<FamilySets>;
  readonly nodes: NodeSet;
}

/** The sets of addresses that do not follow pods: blocks and nodes, one for each distinct list and selector. */
export class AddressSets {
  readonly #cluster: ClusterIndex;
  readonly #liveSets: LiveSets;
  readonly #nodesByText = new Map<string, NodeSet>();
  readonly #blocksByText = new Map<string, BlockSets>();
  /** Writing a long list out takes a while, and a policy brings the same list each time. */
  readonly #textOfBlocks = new WeakMap<AddressBlocks, string>();

  constructor(cluster: ClusterIndex, liveSets: LiveSets) {
    this.#cluster = cluster;
    this.#liveSets = liveSets;
  }

  /** All addresses of the nodes that `selector` selects. */
  nodesOf(selector: LabelSelector): NodeSet {
    return this.#nodeSet(`nodes ${selectorText(selector)}`, function* (cluster) {
      for (const node of cluster.nodes())
        if (selects(selector, node.labels)) yield* cluster.nodeAddresses(node);
    });
  }

  blocksOf(blocks: AddressBlocks): BlockSets {
    const text = this.#textOfBlocks.get(blocks) ?? blocks.map(formatRange).join();
    this.#textOfBlocks.set(blocks, text);
    const known = this.#blocksByText.get(text);
    if (known !== undefined) return known;
    const lists = ([4, 6] as const).map((family) => {
      const listed = blocks.filter((range) => range.family === family).map(formatRange);
      if (listed.length === 0) return {};
      return { [family]: this.#liveSets.of(`c${family}-`, listed.join(), family, listed) };
    });
    const nodes = this.#nodeSet(`blocks ${text}`, (cluster) => overlayWithin(blocks, cluster));
    const made: BlockSets = { blocks: { ...lists[0], ...lists[1] }, nodes };
    this.#blocksByText.set(text, made);
    return made;
  }

  #nodeSet(text: string, addressesIn: (cluster: ClusterIndex) => Iterable<string>): NodeSet {
    const known = this.#nodesByText.get(text);
    if (known !== undefined) return known;
    const sets = {
      4: this.#liveSets.of('n4-', text, 4),
      6: this.#liveSets.of('n6-', text, 6),
    };
    const made = new NodeSet(sets, addressesIn);
    made.update(this.#cluster);
    this.#nodesByText.set(text, made);
    return made;
  }

  /** Nodes changed, or their addresses on the overlay. */
  updateNodes(): void {
    for (const set of this.#nodesByText.values()) set.update(this.#cluster);
  }

  /** Forgets what is not in use. */
  keep(isInUse: (part: NodeSet) => boolean): void {
    for (const [text, set] of this.#nodesByText) if (!isInUse(set)) this.#nodesByText.delete(text);
    for (const [text, { nodes }] of this.#blocksByText) if (!isInUse(nodes)) this.#blocksByText.delete(text);
  }
}

/** Overlay addresses of the nodes that have an InternalIP in `blocks`, but for those that lie in it themselves. */
function* overlayWithin(blocks: AddressBlocks, cluster: ClusterIndex): Iterable<string> {
  const holds = (address: string): boolean => blocksContain(blocks, parseAddress(address)!);
  for (const node of cluster.nodes()) {
    if (!node.internalAddresses.some(holds)) continue;
    for (const address of cluster.overlayOf(node)) if (!holds(address)) yield address;
  }
}

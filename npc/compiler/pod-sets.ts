import { selects } from '../model/label-selector.ts';
import type { Labels } from '../model/labels.ts';
import type { PolicyPod } from '../model/pod.ts';
import type { PodSelector } from '../model/policy.ts';
import type { Protocol } from '../model/port-match.ts';
import type { ClusterIndex } from './cluster-index.ts';
import { type FamilySets, familyOf, type LiveSet, type LiveSets } from './live-set.ts';

/** The pods of a selector that have a port of a certain name, by the number they have it at. */
export class PortGroups {
  readonly selector: PodSelector;
  readonly #port: { readonly name: string; readonly protocol: Protocol | undefined };
  readonly #groupByPort = new Map<string, PortGroup>();
  readonly #text: string;
  readonly #liveSets: LiveSets;
  /** Another one whenever a number came or went. */
  version = 0;

  constructor(
    selector: PodSelector,
    port: { readonly name: string; readonly protocol: Protocol | undefined },
    liveSets: LiveSets,
  ) {
    this.selector = selector;
    this.#port = port;
    this.#text = JSON.stringify([selector.text, port.name, port.protocol ?? '']);
    this.#liveSets = liveSets;
  }

  /** In an order that does not tell in which they came. */
  groups(): readonly PortGroup[] {
    return [...this.#groupByPort.values()].sort(
      (a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol),
    );
  }

  /** `owners` are the pods at `address` now, those that the selector selects. */
  update(address: string, owners: readonly PolicyPod[]): void {
    const ports = new Set<string>();
    for (const { namedPorts } of owners) {
      for (const { name, protocol, port } of namedPorts) {
        if (name !== this.#port.name || (this.#port.protocol ?? protocol) !== protocol) continue;
        ports.add(`${protocol} ${port}`);
        if (!this.#groupByPort.has(`${protocol} ${port}`)) this.#open(protocol, port);
      }
    }
    for (const [text, { sets }] of this.#groupByPort) {
      sets[familyOf(address)].set(address, ports.has(text));
      if (!sets[4].isEmpty || !sets[6].isEmpty) continue;
      this.#groupByPort.delete(text);
      this.version++;
    }
  }

  #open(protocol: Protocol, port: number): void {
    const text = `${protocol} ${port}`;
    const sets = {
      4: this.#liveSets.of('e4-', this.#text + text, 4),
      6: this.#liveSets.of('e6-', this.#text + text, 6),
    };
    this.#groupByPort.set(text, { protocol, port, sets });
    this.version++;
  }
}

/** Pods that have a port of a certain name at one number. */
interface PortGroup {
  readonly protocol: Protocol;
  readonly port: number;
  readonly sets: FamilySets;
}

/** What is kept for one selector. */
interface Selected {
  readonly selector: PodSelector;
  readonly sets: FamilySets;
  readonly groupsByPort: Map<string, PortGroups>;
}

/**
 * The sets of addresses of pods that rules point to: one for each distinct selector, whoever uses it, kept true as pods
 * come, go and change. A change costs as many evaluations as there are selectors that could see it.
 */
export class PodSets {
  readonly #cluster: ClusterIndex;
  readonly #liveSets: LiveSets;
  readonly #byText = new Map<string, Selected>();
  /** Those bound to a namespace, by it; all others under ''. */
  readonly #byNamespace = new Map<string, Set<Selected>>();

  constructor(cluster: ClusterIndex, liveSets: LiveSets) {
    this.#cluster = cluster;
    this.#liveSets = liveSets;
  }

  /** The addresses of the pods that `selector` selects. */
  podsOf(selector: PodSelector): FamilySets {
    return this.#selected(selector).sets;
  }

  /** The same, by the numbers at which they have a port of that name. */
  portsOf(selector: PodSelector, name: string, protocol: Protocol | undefined): PortGroups {
    const selected = this.#selected(selector);
    const key = `${protocol ?? ''}/${name}`;
    const known = selected.groupsByPort.get(key);
    if (known !== undefined) return known;
    const groups = new PortGroups(selector, { name, protocol }, this.#liveSets);
    selected.groupsByPort.set(key, groups);
    for (const family of [4, 6] as const) {
      for (const address of selected.sets[family].current.elements)
        groups.update(address, this.#ownersAt(selector, address));
    }
    return groups;
  }

  #selected(selector: PodSelector): Selected {
    const known = this.#byText.get(selector.text);
    if (known !== undefined) return known;
    const addresses: Record<4 | 6, string[]> = { 4: [], 6: [] };
    for (const address of this.#addressesOf(selector)) addresses[familyOf(address)].push(address);
    const selected: Selected = {
      selector,
      sets: {
        4: this.#liveSets.of('a4-', selector.text, 4, addresses[4]),
        6: this.#liveSets.of('a6-', selector.text, 6, addresses[6]),
      },
      groupsByPort: new Map(),
    };
    this.#byText.set(selector.text, selected);
    const others = this.#byNamespace.get(selector.namespace ?? '') ?? new Set();
    this.#byNamespace.set(selector.namespace ?? '', others.add(selected));
    return selected;
  }

  *#addressesOf(selector: PodSelector): Iterable<string> {
    const cluster = this.#cluster;
    const namespaces = selector.namespace === undefined ? cluster.namespaceNames() : [selector.namespace];
    for (const namespace of namespaces) {
      if (!cluster.selectsNamespace(selector, namespace)) continue;
      for (const pod of cluster.podsIn(namespace)) {
        if (!selects(selector.pods, pod.labels)) continue;
        for (const address of cluster.addressesOf(pod))
          if (cluster.podsAt(address).includes(pod)) yield address;
      }
    }
  }

  #ownersAt(selector: PodSelector, address: string): readonly PolicyPod[] {
    return this.#cluster.podsAt(address).filter((pod) => this.#cluster.selectsPod(selector, pod));
  }

  /** Who has these addresses may have changed, or what he is; those who had and have them are of `namespaces`. */
  update(addresses: Iterable<string>, namespaces: ReadonlySet<string>): void {
    for (const address of addresses) {
      for (const namespace of ['', ...namespaces])
        for (const selected of this.#byNamespace.get(namespace) ?? []) this.#updateOne(selected, address);
    }
  }

  #updateOne({ selector, sets, groupsByPort }: Selected, address: string): void {
    const owners = this.#ownersAt(selector, address);
    sets[familyOf(address)].set(address, owners.length > 0);
    for (const groups of groupsByPort.values()) groups.update(address, owners);
  }

  /** The labels of a namespace changed. */
  updateNamespace(namespace: string, before: Labels, after: Labels): void {
    for (const selected of this.#byNamespace.get('') ?? []) {
      const { namespaces } = selected.selector;
      if (selects(namespaces, before) === selects(namespaces, after)) continue;
      for (const pod of this.#cluster.podsIn(namespace)) {
        for (const address of this.#cluster.addressesOf(pod)) this.#updateOne(selected, address);
      }
    }
  }

  /** Forgets selectors and ports that are not in use: of which neither a set nor the groups are. */
  keep(isInUse: (part: LiveSet | PortGroups) => boolean): void {
    for (const [text, selected] of this.#byText) {
      const { selector, sets, groupsByPort } = selected;
      for (const [key, groups] of groupsByPort) if (!isInUse(groups)) groupsByPort.delete(key);
      if (isInUse(sets[4]) || isInUse(sets[6]) || groupsByPort.size > 0) continue;
      this.#byText.delete(text);
      const others = this.#byNamespace.get(selector.namespace ?? '');
      others?.delete(selected);
      if (others?.size === 0) this.#byNamespace.delete(selector.namespace ?? '');
    }
  }
}

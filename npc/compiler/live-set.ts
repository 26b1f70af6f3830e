import type { Family } from '../../base/address.ts';
import { ElementSet } from '../../linux/element-set.ts';
import type { PolicySet } from '../../linux/policy-table.ts';
import type { ContentNames } from './content-names.ts';

/** A set of the table whose elements come and go while its name stays. */
export class LiveSet {
  readonly name: string;
  #current: PolicySet;

  constructor(name: string, of: Family | 'ports', elements: Iterable<string>, interval: boolean) {
    this.name = name;
    const type = of === 'ports' ? 'inet_service' : of === 4 ? 'ipv4_addr' : 'ipv6_addr';
    this.#current = { type, interval, elements: ElementSet.of(elements) };
  }

  /** As it is now: another object whenever an element came or went. */
  get current(): PolicySet {
    return this.#current;
  }

  get isEmpty(): boolean {
    return this.#current.elements.size === 0;
  }

  /** Puts an element in or takes it out. */
  set(element: string, isIn: boolean): void {
    if (this.#current.elements.has(element) === isIn) return;
    const list = [element];
    const elements = this.#current.elements.with(isIn ? list : [], isIn ? [] : list);
    this.#current = { ...this.#current, elements };
  }

  /** Has these elements from now on. */
  replace(wanted: ReadonlySet<string>): void {
    const { elements } = this.#current;
    const next = elements.with(
      wanted,
      [...elements].filter((element) => !wanted.has(element)),
    );
    if (next !== elements) this.#current = { ...this.#current, elements: next };
  }
}

/** The sets that are in use, one for each name, since chains keep hold of them. */
export class LiveSets {
  readonly #names: ContentNames;
  readonly #byName = new Map<string, LiveSet>();

  constructor(names: ContentNames) {
    this.#names = names;
  }

  /** The set that `content` stands for, with these elements from now on. Content that is equal must have elements that are. */
  of(prefix: string, content: string, type: Family | 'ports', elements: readonly string[] = []): LiveSet {
    const name = this.#names.nameOf(prefix, content);
    const known = this.#byName.get(name);
    if (known !== undefined) {
      known.replace(new Set(elements));
      return known;
    }
    const isInterval = type === 'ports' || prefix.startsWith('c');
    const set = new LiveSet(name, type, elements, isInterval);
    this.#byName.set(name, set);
    return set;
  }

  /** Forgets all sets but those in use. */
  keep(isInUse: (set: LiveSet) => boolean): void {
    for (const [name, set] of this.#byName) if (!isInUse(set)) this.#byName.delete(name);
  }
}

/** One set of each family, for what is named by addresses of both. */
export type FamilySets = Readonly<Record<Family, LiveSet>>;

/** The family of an address that was written by `formatAddress`. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

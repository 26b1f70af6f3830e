import type { Address, Family } from '../../base/address.ts';
import { type Range, sameRange } from '../../base/range.ts';
import { WeftError } from '../../base/weft-error.ts';
import { ByteReader, ByteWriter } from '../model/codec.ts';
import type { IpamStore } from '../model/store.ts';
import type { Allocation, AllocationKey } from '../model/types.ts';
import { FreeSpace } from './free-space.ts';

const PREFIX = 'alloc/';
const FAMILIES = [4, 6] as const;

/**
 * Addresses of this node's containers: which are in use, for what, and which is next. One address of each family of
 * the ring per key, all or none. Every change is staged in the store before the method returns.
 *
 * ```
 * store: alloc/<container id>/<ifname> → boot id (length u8, text) | count u8 | { family u8, address 4|16 } …
 *        cursor/<family>               → the address handed out last, 4|16
 * ```
 */
export class Allocator {
  readonly #store: IpamStore;
  readonly #bootId: string;
  readonly #allocationByKey = new Map<string, Allocation>();
  #universes: readonly Range[] = [];
  #spaceByFamily = new Map<Family, FreeSpace>();
  #owned: readonly Range[] = [];

  /** Reads the store. Throws a WeftError where an allocation in it cannot be read. */
  constructor(store: IpamStore, bootId: string) {
    this.#store = store;
    this.#bootId = bootId;
    for (const [key, value] of store.entries(PREFIX)) {
      const allocation = decodeAllocation(key.slice(PREFIX.length), value);
      if (allocation === undefined)
        throw new WeftError(
          'E_STORE_CORRUPT',
          `the stored allocation ${JSON.stringify(key)} cannot be read`,
          'restore the state folder from a backup, or remove it and `weft rmpeer` this node from another',
        );
      this.#allocationByKey.set(mapKey(allocation.key), allocation);
    }
  }

  /** What this node may hand out of, and the whole ring's ranges. To be called whenever either may have changed. */
  setOwned(universes: readonly Range[], owned: readonly Range[]): 'same' | 'changed' | 'grown' {
    const same = sameList(universes, this.#universes) && sameList(owned, this.#owned);
    if (same) return 'same';
    this.#universes = universes;
    this.#owned = owned;
    let grown = false;
    for (const { family, start, end } of universes) {
      const last = this.#store.get(`cursor/${family}`);
      const cursor = last === undefined ? start : new ByteReader(last).address(family).value + 1n;
      const space = this.#spaceByFamily.get(family) ?? new FreeSpace([start, end - 1n], cursor);
      const before = space.owned;
      this.#spaceByFamily.set(family, space);
      space.rebuild(
        owned.filter((range) => range.family === family),
        this.#usedOf(family),
      );
      if (space.owned > before) grown = true;
    }
    return grown ? 'grown' : 'changed';
  }

  get size(): number {
    return this.#allocationByKey.size;
  }

  get(key: AllocationKey): Allocation | undefined {
    return this.#allocationByKey.get(mapKey(key));
  }

  all(): Allocation[] {
    return [...this.#allocationByKey.values()];
  }

  space(family: Family): FreeSpace | undefined {
    return this.#spaceByFamily.get(family);
  }

  used(family: Family): number {
    return [...this.#usedOf(family)].length;
  }

  /** Allocations with an address that this node does not own. */
  orphaned(): Allocation[] {
    const owns = ({ family, value }: Address): boolean =>
      this.#owned.some((range) => range.family === family && range.start <= value && value < range.end);
    return this.all().filter((allocation) => !allocation.addresses.every(owns));
  }

  /**
   * The addresses of `key`, the same as before where it has some; undefined where a family has none free, and then
   * nothing has changed.
   */
  assign(key: AllocationKey): Allocation | undefined {
    const known = this.get(key);
    if (known !== undefined) {
      const confirmed = { ...known, bootId: this.#bootId };
      if (known.bootId !== this.#bootId) this.#save(confirmed);
      return confirmed;
    }
    const addresses: Address[] = [];
    for (const { family } of this.#universes) {
      const value = this.#spaceByFamily.get(family)?.takeNext();
      if (value === undefined) {
        for (const taken of addresses) this.#spaceByFamily.get(taken.family)!.giveBack(taken.value);
        return undefined;
      }
      addresses.push({ family, value });
    }
    if (addresses.length === 0) return undefined;
    for (const address of addresses)
      this.#store.put(`cursor/${address.family}`, new ByteWriter().address(address).finish());
    const allocation = { key, addresses, bootId: this.#bootId };
    this.#save(allocation);
    return allocation;
  }

  release(key: AllocationKey): boolean {
    const known = this.get(key);
    if (known === undefined) return false;
    this.#allocationByKey.delete(mapKey(key));
    this.#store.remove(PREFIX + mapKey(key));
    for (const { family, value } of known.addresses) {
      if (this.#owned.some((range) => range.family === family && range.start <= value && value < range.end))
        this.#spaceByFamily.get(family)?.giveBack(value);
    }
    return true;
  }

  #save(allocation: Allocation): void {
    this.#allocationByKey.set(mapKey(allocation.key), allocation);
    this.#store.put(PREFIX + mapKey(allocation.key), encodeAllocation(allocation));
  }

  *#usedOf(family: Family): Iterable<bigint> {
    for (const { addresses } of this.#allocationByKey.values())
      for (const address of addresses) if (address.family === family) yield address.value;
  }
}

/** Not empty, short enough, and without the separator of the store's keys. */
export function isValidKey({ containerId, ifname }: AllocationKey): boolean {
  return /^[^/]{1,255}$/u.test(containerId) && /^[^/]{1,15}$/u.test(ifname);
}

/** The key as one text: `<container id>/<interface>`. */
export function mapKey({ containerId, ifname }: AllocationKey): string {
  return `${containerId}/${ifname}`;
}

/** The families of `universes`, IPv4 first. */
export function familiesOf(universes: readonly Range[]): Family[] {
  return FAMILIES.filter((family) => universes.some((universe) => universe.family === family));
}

function encodeAllocation({ bootId, addresses }: Allocation): Uint8Array {
  const out = new ByteWriter().text(bootId).u8(addresses.length);
  for (const address of addresses) out.u8(address.family).address(address);
  return out.finish();
}

function decodeAllocation(key: string, value: Uint8Array): Allocation | undefined {
  const [containerId, ifname, ...rest] = key.split('/');
  const reader = new ByteReader(value);
  const bootId = reader.text();
  const addresses = Array.from({ length: Math.min(reader.u8(), 2) }, () => reader.address(reader.family()));
  if (!reader.finished || !containerId || !ifname || rest.length > 0) return undefined;
  return { key: { containerId, ifname }, addresses, bootId };
}

function sameList(a: readonly Range[], b: readonly Range[]): boolean {
  return a.length === b.length && a.every((range, i) => sameRange(range, b[i]!));
}

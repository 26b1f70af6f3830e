import type { ObjectMeta } from './objects.ts';

/** What changed in an {@link ObjectStore}. An object under a known key with another UID is in `gone` and in `added`. */
export interface Delta<T> {
  readonly gone: readonly T[];
  readonly added: readonly T[];
  /** The same object (by UID) at another version. */
  readonly changed: readonly { readonly before: T; readonly after: T }[];
}

interface Entry<T> {
  readonly object: T;
  /** The list that this object was last part of, or that a watch event of it followed. */
  readonly list: number;
}

/**
 * A copy of a collection of the API, by namespace and name. Each operation answers what it changed, so whoever follows
 * the collection never has to compare whole maps.
 */
export class ObjectStore<T extends ObjectMeta> {
  readonly #entryByKey = new Map<string, Entry<T>>();
  #list = 0;

  get size(): number {
    return this.#entryByKey.size;
  }

  /** A list begins, of which {@link put} gets the objects: what it does not hold goes when it ends. */
  beginList(): void {
    this.#list++;
  }

  /** The list is complete. */
  endList(): Delta<T> {
    const gone: T[] = [];
    for (const [key, { object, list }] of this.#entryByKey) {
      if (list === this.#list) continue;
      this.#entryByKey.delete(key);
      gone.push(object);
    }
    return { gone, added: [], changed: [] };
  }

  /** Objects as they are now. Where one comes twice, the later one counts. */
  put(objects: readonly T[]): Delta<T> {
    const gone: T[] = [];
    const added: T[] = [];
    const changed: { before: T; after: T }[] = [];
    for (const object of objects) {
      const key = keyOf(object);
      const before = this.#entryByKey.get(key)?.object;
      this.#entryByKey.set(key, { object, list: this.#list });
      if (before === undefined) added.push(object);
      else if (before.uid !== object.uid) {
        gone.push(before);
        added.push(object);
      } else if (before.resourceVersion !== object.resourceVersion) changed.push({ before, after: object });
    }
    return { gone, added, changed };
  }

  /** The object under this key is gone, or is to be left out from now on. */
  remove(meta: Pick<ObjectMeta, 'namespace' | 'name'>): Delta<T> {
    const key = keyOf(meta);
    const before = this.#entryByKey.get(key)?.object;
    this.#entryByKey.delete(key);
    return { gone: before === undefined ? [] : [before], added: [], changed: [] };
  }
}

/** Whether nothing changed. */
export function isEmpty({ gone, added, changed }: Delta<unknown>): boolean {
  return gone.length + added.length + changed.length === 0;
}

/** Names hold no slash, so two objects never share a key. */
function keyOf({ namespace, name }: Pick<ObjectMeta, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

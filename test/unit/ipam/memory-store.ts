import type { IpamStore } from '../../../ipam/model/store.ts';

/** A store for tests and the simulator, which forgets on {@link crash} what was not flushed. */
export class MemoryStore implements IpamStore {
  #durable = new Map<string, Uint8Array>();
  #current = new Map<string, Uint8Array>();
  #dirty = false;
  /** How many flushes had something to write. */
  flushes = 0;

  get(key: string): Uint8Array | undefined {
    return this.#current.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.#current.set(key, value.slice());
    this.#dirty = true;
  }

  remove(key: string): void {
    this.#dirty = this.#current.delete(key) || this.#dirty;
  }

  *entries(prefix: string): Iterable<readonly [string, Uint8Array]> {
    const keys = [...this.#current.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys) yield [key, this.#current.get(key)!];
  }

  flush(): void {
    if (!this.#dirty) return;
    this.#durable = new Map(this.#current);
    this.#dirty = false;
    this.flushes++;
  }

  /** Power loss: what was staged since the last flush is gone. */
  crash(): void {
    this.#current = new Map(this.#durable);
    this.#dirty = false;
  }

  /** Lost disk: everything is gone. */
  wipe(): void {
    this.#durable.clear();
    this.crash();
  }
}

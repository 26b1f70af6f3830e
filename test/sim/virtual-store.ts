import { WeftError } from '../../base/weft-error.ts';
import type { IpamStore } from '../../ipam/model/store.ts';
import { MemoryStore } from '../unit/ipam/memory-store.ts';

/** The disk of a node: forgets on a crash what was not flushed, and fails when it is told to. */
export class VirtualStore implements IpamStore {
  readonly #memory = new MemoryStore();
  /** No flush that has something to write succeeds meanwhile. */
  full = false;
  #staged = false;
  #allocationsChanged = false;
  /** Told after each flush that wrote allocations. */
  onAllocations: () => void = () => {};

  get(key: string): Uint8Array | undefined {
    return this.#memory.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.#note(key);
    this.#memory.put(key, value);
  }

  remove(key: string): void {
    this.#note(key);
    this.#memory.remove(key);
  }

  entries(prefix: string): Iterable<readonly [string, Uint8Array]> {
    return this.#memory.entries(prefix);
  }

  flush(): void {
    if (!this.#staged) return;
    if (this.full) throw new WeftError('E_DISK_FULL', 'the disk is full', 'make room');
    this.#memory.flush();
    this.#staged = false;
    if (!this.#allocationsChanged) return;
    this.#allocationsChanged = false;
    this.onAllocations();
  }

  /** What was staged is gone. */
  crash(): void {
    this.#memory.crash();
    this.#staged = false;
    this.#allocationsChanged = false;
  }

  /** A copy of what is durable, as a backup would have it. */
  backup(): ReadonlyMap<string, Uint8Array> {
    this.crash();
    return new Map([...this.#memory.entries('')].map(([key, value]) => [key, value.slice()]));
  }

  #note(key: string): void {
    this.#staged = true;
    if (key.startsWith('alloc/')) this.#allocationsChanged = true;
  }
}

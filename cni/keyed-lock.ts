import { type AttachmentKey, keyText } from './key.ts';

/**
 * Runs the calls of one key one after the other, in the order they came, and those of different keys side by
 * side. Holds memory only for keys with calls under way.
 */
export class KeyedLock {
  readonly #tailByKey = new Map<string, Promise<void>>();

  /** Keys with calls under way. */
  get size(): number {
    return this.#tailByKey.size;
  }

  /** Runs `task` when every earlier task of `key` has ended, well or badly; settles as `task` does. */
  async run<T>(key: AttachmentKey, task: () => Promise<T>): Promise<T> {
    const text = keyText(key);
    const result = (this.#tailByKey.get(text) ?? Promise.resolve()).then(task);
    const tail = result.then(nothing, nothing);
    this.#tailByKey.set(text, tail);
    try {
      return await result;
    } finally {
      if (this.#tailByKey.get(text) === tail) this.#tailByKey.delete(text);
    }
  }
}

function nothing(): void {}

import { assert } from '../../base/assert.ts';

/** Contents with equal hashes that are told apart. */
const MAX_ALIKE = 1000;

/**
 * Names for chains and sets that follow from what they hold: the same content has the same name in every run, so it is
 * shared, and nothing that stays the same is loaded anew under another name. Two contents whose hashes are equal, which
 * somebody may bring about who may write policies, get different names all the same.
 */
export class ContentNames {
  readonly #contentByName = new Map<string, string>();
  /** Some name ever had a number. Nearly never, so nearly always the first name is the only one to look at. */
  #hasAlike = false;
  readonly #hash: (content: string) => string;

  constructor(hash: (content: string) => string = contentHash) {
    this.#hash = hash;
  }

  /** `prefix` and 16 hex digits; behind them a number, where another content has that name already. */
  nameOf(prefix: string, content: string): string {
    const first = prefix + this.#hash(content);
    let free: string | undefined;
    for (let i = 0; i < MAX_ALIKE; i++) {
      const name = i === 0 ? first : `${first}-${i}`;
      const known = this.#contentByName.get(name);
      if (known === content) return name;
      if (known === undefined) free ??= name;
      if (i === 0 && free !== undefined && !this.#hasAlike) break;
    }
    assert(free !== undefined, 'few contents have equal hashes');
    if (free !== first) this.#hasAlike = true;
    this.#contentByName.set(free, content);
    return free;
  }

  /** Forgets all names but those that are in use. */
  keep(isInUse: (name: string) => boolean): void {
    for (const name of this.#contentByName.keys()) if (!isInUse(name)) this.#contentByName.delete(name);
  }
}

/** 64 bits as hex: two lanes of multiplication and exclusive or, mixed at the end (after MurmurHash3). */
export function contentHash(text: string): string {
  let a = 0x9e3779b9 ^ text.length;
  let b = 0x85ebca6b ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995);
    b ^= b >>> 15;
  }
  const high = mix(a ^ Math.imul(b, 0xc2b2ae35));
  const low = mix(b ^ Math.imul(high, 0x27d4eb2f));
  return hex(high) + hex(low);
}

function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

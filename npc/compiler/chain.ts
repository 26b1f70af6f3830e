import type { ContentNames } from './content-names.ts';
import type { LiveSet } from './live-set.ts';

/** A chain of the table, and what its rules point to. */
export interface Chain {
  readonly name: string;
  readonly rules: readonly string[];
  readonly chains: readonly Chain[];
  readonly sets: readonly LiveSet[];
}

/** The chains that are in use, each once: chains with the same rules are one. */
export class Chains {
  readonly #names: ContentNames;
  readonly #byName = new Map<string, Chain>();

  constructor(names: ContentNames) {
    this.#names = names;
  }

  /** The chain with these rules. */
  of(prefix: string, body: Omit<Chain, 'name'>): Chain {
    const name = this.#names.nameOf(prefix, body.rules.join('\n'));
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const chain = { name, ...body };
    this.#byName.set(name, chain);
    return chain;
  }

  /** Forgets all chains but those in use. */
  keep(isInUse: (chain: Chain) => boolean): void {
    for (const [name, chain] of this.#byName) if (!isInUse(chain)) this.#byName.delete(name);
  }
}

/** Adds a chain and all that its rules lead to. */
export function reach(chain: Chain, chains: Set<Chain>, sets: Set<LiveSet>): void {
  if (chains.has(chain)) return;
  chains.add(chain);
  for (const set of chain.sets) sets.add(set);
  for (const next of chain.chains) reach(next, chains, sets);
}

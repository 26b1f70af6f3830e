import type { Endpoint } from '../base/endpoint.ts';
import { applyPeerPorts, applyRules, readRules } from '../linux/nftables.io.ts';
import { type PacketRules, renderRules, splitListing } from '../linux/nftables.ts';
import type { RulesMemory } from './rules-memory.io.ts';

/**
 * The packet rules of this node: sets them, and knows whether they are as they were set. nft writes rules in another way than it
 * takes them, so what it lists right after it was given them is what it has to list later; but for where the tunnels of peers
 * end, which changes and is compared by itself.
 */
export class KeptRules {
  readonly #rules: PacketRules;
  readonly #memory: RulesMemory | undefined;
  /** As nft listed it when the table was set, without what is about peers. */
  #text: string | undefined;
  #peers: readonly Endpoint[] = [];

  /** `memory`: of what the weftd before has set; without one the rules are always set. */
  constructor(rules: PacketRules, memory: RulesMemory | undefined) {
    this.#rules = rules;
    this.#memory = memory;
  }

  /** Sets them, unless the weftd before has set the very same and nobody has changed them. Rejects as {@link applyRules}. */
  async begin(): Promise<void> {
    const listing = this.#memory && (await readRules());
    const { rules, peers } = splitListing(listing ?? '');
    if (listing === undefined || !this.#memory?.knows(renderRules(this.#rules), rules)) return this.#set();
    this.#text = rules;
    this.#peers = peers;
  }

  /** Puts them right where they are not as they were set, and says whether that was so. Rejects as {@link applyRules}. */
  async mend(): Promise<boolean> {
    const listing = await readRules();
    if (listing !== undefined) {
      const { rules, peers } = splitListing(listing);
      if (rules === this.#text) {
        if (sameEndpoints(peers, this.#peers)) return false;
        // The table is not made anew for it, which would cost packets.
        await applyPeerPorts(this.#peers);
        return true;
      }
    }
    await this.#set();
    return true;
  }

  /** The tunnels of peers end there from now on. Rejects as {@link applyRules}, also where the rules are gone; then {@link mend}. */
  async setPeers(peers: readonly Endpoint[]): Promise<void> {
    this.#peers = peers;
    await applyPeerPorts(peers);
  }

  async #set(): Promise<void> {
    await applyRules(this.#rules, this.#peers);
    const listing = await readRules();
    this.#text = listing === undefined ? undefined : splitListing(listing).rules;
    if (this.#text !== undefined) this.#memory?.note(renderRules(this.#rules), this.#text);
  }
}

function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  const known = new Set(b);
  return new Set(a).size === known.size && a.every((one) => known.has(one));
}

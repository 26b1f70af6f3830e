import type { LinkChains } from '../../linux/policy-table.ts';
import { DIRECTIONS, type Direction } from '../model/policy.ts';
import { type Chain, reach } from './chain.ts';
import type { LiveSet } from './live-set.ts';
import type { CompiledPolicy, Profile } from './profile-compiler.ts';

/** The profiles of a link; undefined: not judged in that direction. */
type Profiles = Readonly<Record<Direction, Profile | undefined>>;

/** All that links lead to. */
interface Reached {
  readonly chains: ReadonlySet<Chain>;
  readonly sets: ReadonlySet<LiveSet>;
  readonly policies: ReadonlySet<CompiledPolicy>;
}

/**
 * Where the packets of links are judged. Most pods are like others, so one that comes or goes seldom changes what all links
 * together lead to: that is counted, and looked for only where it may be something else.
 */
export class LinkProfiles {
  readonly #byLink = new Map<string, Profiles>();
  /** How many profiles there are of each first chain, and of each policy. */
  readonly #uses = new Map<Chain | CompiledPolicy, number>();
  #chainsByLink = new Map<string, LinkChains>();
  #isShared = false;
  #isReachStale = true;

  /** By link; another map whenever something in it is another. */
  get chainsByLink(): ReadonlyMap<string, LinkChains> {
    this.#isShared = true;
    return this.#chainsByLink;
  }

  /** From now on the link has these profiles, or none. */
  put(link: string, profiles: Profiles | undefined): void {
    const before = this.#byLink.get(link);
    if (profiles !== undefined) this.#count(profiles, 1);
    if (before !== undefined) this.#count(before, -1);
    const chains = profiles && chainsOf(profiles);
    if (profiles === undefined) this.#byLink.delete(link);
    else this.#byLink.set(link, profiles);
    if (sameChains(chains, this.#chainsByLink.get(link))) return;
    if (this.#isShared) this.#chainsByLink = new Map(this.#chainsByLink);
    this.#isShared = false;
    if (chains === undefined) this.#chainsByLink.delete(link);
    else this.#chainsByLink.set(link, chains);
  }

  #count(profiles: Profiles, by: 1 | -1): void {
    for (const direction of DIRECTIONS) {
      const profile = profiles[direction];
      if (profile === undefined) continue;
      for (const used of [profile.chains.straight, profile.chains.turned, ...profile.policies]) {
        const count = (this.#uses.get(used) ?? 0) + by;
        if (count === 0) this.#uses.delete(used);
        else this.#uses.set(used, count);
        if (count === 0 || (count === 1 && by === 1)) this.#isReachStale = true;
      }
    }
  }

  /** What all links lead to; undefined where it is the same as at the last call. */
  reached(): Reached | undefined {
    if (!this.#isReachStale) return undefined;
    this.#isReachStale = false;
    const [chains, sets, policies] = [new Set<Chain>(), new Set<LiveSet>(), new Set<CompiledPolicy>()];
    for (const profiles of this.#byLink.values()) {
      for (const direction of DIRECTIONS) {
        const profile = profiles[direction];
        if (profile === undefined) continue;
        for (const policy of profile.policies) policies.add(policy);
        reach(profile.chains.straight, chains, sets);
        reach(profile.chains.turned, chains, sets);
      }
    }
    return { chains, sets, policies };
  }
}

function chainsOf({ egress, ingress }: Profiles): LinkChains {
  return { egress: namesOf(egress), ingress: namesOf(ingress) };
}

function namesOf(profile: Profile | undefined): LinkChains['egress'] {
  return profile && { straight: profile.chains.straight.name, turned: profile.chains.turned.name };
}

function sameChains(a: LinkChains | undefined, b: LinkChains | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return DIRECTIONS.every(
    (way) => a[way]?.straight === b[way]?.straight && a[way]?.turned === b[way]?.turned,
  );
}

import { type DropSettings, dropRules, TO_ITSELF, type View } from '../../linux/policy-rules.ts';
import type { PolicyPod } from '../model/pod.ts';
import { type Direction, type Policy, type PolicyRule, policyTitle, type Tier } from '../model/policy.ts';
import type { Chain } from './chain.ts';
import { contentHash } from './content-names.ts';
import type { DirectedPolicy, SelectingPolicies } from './policy-index.ts';
import {
  mayMeanStranger,
  noRules,
  type PassedPorts,
  RuleCompiler,
  type RuleScope,
  type RuleText,
  type Shape,
  type Verdict,
  type Workshop,
} from './rule-compiler.ts';

/** The chains at which packets of a pod start, in one direction, and the policies in them. */
export interface Profile {
  readonly chains: Readonly<Record<View, Chain>>;
  readonly policies: readonly CompiledPolicy[];
}

/** What the tag in the prefix of a logged packet stands for: the policies that denied it. */
export interface DropTag {
  readonly direction: Direction;
  readonly tier: Tier;
  readonly policies: readonly string[];
}

/** One policy in one direction, as rules, and how long they hold. */
export interface CompiledPolicy {
  readonly direction: Direction;
  /** For which families, named ports of the subject and earlier rules it was compiled, as far as these count. */
  readonly key: string;
  readonly text: Readonly<Record<View, RuleText>>;
  /** The chain of its rules alone, once somebody asked for it. */
  readonly chain: Partial<Record<View, Chain>>;
  readonly versions: readonly { readonly shape: Shape; readonly version: number }[];
}

/** Of more tags than this, those are forgotten that no chain has any more. */
const MAX_TAGS = 10_000;
const VIEWS: readonly View[] = ['straight', 'turned'];
const ACCEPT: Verdict = { text: 'accept', chain: undefined };
const RETURN: Verdict = { text: 'return', chain: undefined };

/**
 * Writes the chains of pods. For a pod and a direction there is one chain, in which the tiers follow each other:
 *
 * ```
 * p-…   jump a-…                       # Admin: each rule accepts, ends at a drop, or returns here (Pass)
 *       jump r-…                       # one for each NetworkPolicy, which accepts or comes back
 *       oifname "wv*" fib daddr . iif oif exists accept
 *       goto x-…                       # the drop
 * p-…   jump a-…                       # without a NetworkPolicy:
 *       jump b-…                       # Baseline, as Admin
 *       accept
 * ```
 *
 * Chains with the same rules are one, so pods that are alike share all of them.
 */
export class ProfileCompiler {
  readonly #drops: DropSettings;
  readonly #compiled = new Map<Policy, CompiledPolicy[]>();
  readonly #tags = new Map<string, { readonly drop: DropTag; readonly chain: Chain }>();
  #workshop: Workshop;

  constructor(drops: DropSettings, workshop: Workshop) {
    this.#drops = drops;
    this.#workshop = workshop;
  }

  /** The tools from now on; those for other families make other rules. */
  use(workshop: Workshop): void {
    this.#workshop = workshop;
  }

  /** Undefined where none of the policies is there. */
  profileOf(pod: PolicyPod, direction: Direction, selecting: SelectingPolicies): Profile | undefined {
    // Where a NetworkPolicy selects the pod, nobody asks Baseline.
    const last = selecting.NetworkPolicy.length > 0 ? selecting.NetworkPolicy : selecting.Baseline;
    const all = [...selecting.Admin, ...last];
    if (all.length === 0) return undefined;
    const compiled = new Map<DirectedPolicy, CompiledPolicy>();
    for (const tier of [selecting.Admin, last]) {
      const passed: PassedPorts[] = [];
      for (const each of tier) {
        compiled.set(each, this.#compile(each, pod, passed));
        for (const rule of each.rules) if (mayMeanStranger(rule, 'Pass')) passed.push(rule.ports);
      }
    }
    const [straight, turned] = VIEWS.map((view) =>
      this.#profile(direction, view, selecting, (each) => compiled.get(each)!),
    );
    return { chains: { straight: straight!, turned: turned! }, policies: [...compiled.values()] };
  }

  #profile(
    direction: Direction,
    view: View,
    { Admin, NetworkPolicy, Baseline }: SelectingPolicies,
    compiledOf: (policy: DirectedPolicy) => CompiledPolicy,
  ): Chain {
    const { chains } = this.#workshop;
    const rules: string[] = [];
    const used: Chain[] = [];
    const add = (verb: 'jump' | 'goto', chain: Chain | undefined): void => {
      if (chain === undefined) return;
      rules.push(`${verb} ${chain.name}`);
      used.push(chain);
    };
    add('jump', this.#tier('a-', view, Admin, compiledOf));
    if (NetworkPolicy.length > 0) {
      for (const each of NetworkPolicy) {
        const compiled = compiledOf(each);
        if (compiled.text[view].rules.length > 0) add('jump', this.#chainOf('r-', view, compiled));
      }
      rules.push(`${TO_ITSELF} accept`);
      add('goto', this.#drop(direction, 'NetworkPolicy', NetworkPolicy));
    } else {
      add('jump', this.#tier('b-', view, Baseline, compiledOf));
      rules.push('accept');
    }
    return chains.of('p-', { rules, chains: used, sets: [] });
  }

  /** The rules of all policies of a tier in which order counts. Those that say `return` stand in it themselves. */
  #tier(
    prefix: string,
    view: View,
    policies: readonly DirectedPolicy[],
    compiledOf: (policy: DirectedPolicy) => CompiledPolicy,
  ): Chain | undefined {
    const { chains } = this.#workshop;
    const tier = noRules();
    for (const each of policies) {
      const compiled = compiledOf(each);
      const text = compiled.text[view];
      if (text.rules.length === 0) continue;
      if (text.returns) {
        tier.rules.push(...text.rules);
        tier.chains.push(...text.chains);
        tier.sets.push(...text.sets);
        continue;
      }
      const chain = this.#chainOf('k-', view, compiled);
      tier.rules.push(`jump ${chain.name}`);
      tier.chains.push(chain);
    }
    return tier.rules.length > 0 ? chains.of(prefix, tier) : undefined;
  }

  /** The policy's rules as a chain of their own. It lasts as long as the policy is compiled for somebody. */
  #chainOf(prefix: string, view: View, compiled: CompiledPolicy): Chain {
    compiled.chain[view] ??= this.#workshop.chains.of(prefix, compiled.text[view]);
    return compiled.chain[view];
  }

  /** Where packets end that these policies deny. Only a log needs to tell one from another. */
  #drop(direction: Direction, tier: Tier, policies: readonly DirectedPolicy[]): Chain {
    if (this.#drops.log !== undefined) {
      const titles = policies.map(({ policy }) => policyTitle(policy));
      const tag = contentHash(JSON.stringify([direction, tier, titles]));
      const chain = this.#dropChain(direction, tag);
      this.#tags.set(tag, { drop: { direction, tier, policies: titles }, chain });
      return chain;
    }
    return this.#dropChain(direction, direction === 'ingress' ? 'in' : 'out');
  }

  #dropChain(direction: Direction, tag: string): Chain {
    const rules = dropRules(direction, tag, this.#drops);
    return this.#workshop.chains.of('x-', { rules, chains: [], sets: [] });
  }

  #compile(directed: DirectedPolicy, pod: PolicyPod, before: readonly PassedPorts[]): CompiledPolicy {
    const { policy, direction, rules } = directed;
    const hasNamed = rules.some(({ ports }) => ports !== 'any' && ports.some(({ kind }) => kind === 'named'));
    const own = hasNamed && direction === 'ingress' ? pod.namedPorts : [];
    const passed = before.length > 0 && rules.some(acceptsBlocks) ? before : [];
    const key = JSON.stringify([this.#workshop.families, own, passed]);
    const known = this.#compiled.get(policy) ?? [];
    const at = known.findIndex((each) => each.direction === direction && each.key === key);
    const fresh = known[at];
    if (fresh?.versions.every(({ shape, version }) => shape.version === version)) return fresh;
    const [straight, turned] = VIEWS.map((view) => this.#write(directed, { view, subject: pod, passed }));
    const shapes = new Set([...straight!.shapes, ...turned!.shapes]);
    const versions = [...shapes].map((shape) => ({ shape, version: shape.version }));
    const text = { straight: straight!, turned: turned! };
    const made: CompiledPolicy = { direction, key, text, chain: {}, versions };
    this.#compiled.set(policy, [...known.filter((_, i) => i !== at), made]);
    return made;
  }

  #write(directed: DirectedPolicy, scope: Omit<RuleScope, 'direction'>): RuleText {
    const { policy, direction, rules } = directed;
    const text = noRules();
    const compiler = new RuleCompiler(this.#workshop, { direction, ...scope }, text);
    const verdictOf = (action: 'Accept' | 'Deny' | 'Pass'): Verdict => {
      if (action !== 'Deny') return action === 'Accept' ? ACCEPT : RETURN;
      const chain = this.#drop(direction, policy.tier, [directed]);
      return { text: `goto ${chain.name}`, chain };
    };
    for (const rule of rules) compiler.add(rule, verdictOf(rule.action));
    return text;
  }

  /** What no packet can match at present, by policies that select a pod here. */
  notes(): ReadonlyMap<Policy, readonly string[]> {
    const notes = new Map<Policy, readonly string[]>();
    for (const [policy, versions] of this.#compiled) {
      const told = new Set(versions.flatMap(({ text }) => text.straight.notes));
      if (told.size > 0) notes.set(policy, [...told]);
    }
    return notes;
  }

  /** What a tag stands for; that of a chain that is gone is remembered for a while. */
  tag(tag: string): DropTag | undefined {
    return this.#tags.get(tag)?.drop;
  }

  /** Forgets policies that are compiled for nobody any more. */
  keep(policiesInUse: ReadonlySet<CompiledPolicy>, isInUse: (chain: Chain) => boolean): void {
    for (const [policy, versions] of this.#compiled) {
      const left = versions.filter((each) => policiesInUse.has(each));
      if (left.length === 0) this.#compiled.delete(policy);
      else if (left.length < versions.length) this.#compiled.set(policy, left);
    }
    if (this.#tags.size < MAX_TAGS) return;
    for (const [tag, { chain }] of this.#tags) if (!isInUse(chain)) this.#tags.delete(tag);
  }
}

function acceptsBlocks({ action, peers }: PolicyRule): boolean {
  return action === 'Accept' && peers !== 'any' && peers.some(({ kind }) => kind === 'blocks');
}

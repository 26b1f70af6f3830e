import { type ElementStep, elementText, type TableElement } from './elements/nftables-batch.ts';
import { decidedSteps, POLICY_TABLE, renderElements, renderStep } from './policy-gate.ts';
import type { DropSettings } from './policy-rules.ts';
import {
  judgedLinks,
  LINK_MAPS,
  LINK_SETS,
  OWN_SETS,
  ownElements,
  type PolicyRuleSet,
  type PolicySet,
  renderChains,
  renderPolicyTable,
  renderSets,
} from './policy-table.ts';

/**
 * The batch that makes `after` of a table that holds `before`, and leaves alone what is in both; empty where both are
 * the same. It fails, and changes nothing, where the table does not hold `before`.
 *
 * Order matters, since the kernel refuses to remove what is in use: first comes what is new, then elements, then goes
 * what nothing points to any more. Chains that go are emptied first, so that none of them holds another one.
 */
export function renderPolicyChange(before: PolicyRuleSet, after: PolicyRuleSet): string {
  if (!sameDrops(before.drops, after.drops)) return renderPolicyTable(after);
  const out: string[] = [];
  const newSets = newSetsOf(before, after);
  const newChains = newChainsOf(before, after);
  for (const [name] of newChains)
    if (before.chains.has(name)) out.push(`flush chain ${POLICY_TABLE} ${name}\n`);
  if (newSets.length + newChains.length > 0) {
    const sets = renderSets(new Map(newSets));
    out.push(`table ${POLICY_TABLE} {\n${sets}${renderChains(new Map(newChains))}}\n`);
  }
  for (const [name, added, removed] of setChanges(before, after))
    out.push(renderElements('delete', name, removed), renderElements('add', name, added));
  out.push(...linkSteps(before, after).map(renderStep));
  const goneChains = goneChainsOf(before, after);
  for (const name of goneChains) out.push(`flush chain ${POLICY_TABLE} ${name}\n`);
  for (const name of goneChains) out.push(`delete chain ${POLICY_TABLE} ${name}\n`);
  for (const name of goneSetsOf(before, after)) out.push(`delete set ${POLICY_TABLE} ${name}\n`);
  return out.join('');
}

/**
 * The same change, where no more than elements come and go that need not be read by nft; undefined where something else
 * does. Chains and sets that nothing leads to any more are left: see {@link withLeftovers}. Nothing where both are the same.
 */
export function elementSteps(before: PolicyRuleSet, after: PolicyRuleSet): ElementStep[] | undefined {
  if (!sameDrops(before.drops, after.drops)) return undefined;
  if (newSetsOf(before, after).length + newChainsOf(before, after).length > 0) return undefined;
  const steps: ElementStep[] = [];
  for (const [set, added, removed] of setChanges(before, after)) {
    const { interval, type } = after.sets.get(set)!;
    if (interval || type === 'inet_service') return undefined;
    steps.push(step('delete', set, removed.map(ofAddress)), step('add', set, added.map(ofAddress)));
  }
  steps.push(...linkSteps(before, after));
  return steps.filter(({ elements }) => elements.length > 0);
}

/** What a table holds in which {@link elementSteps} were carried out: `after`, and what it has no more of `before`. */
export function withLeftovers(before: PolicyRuleSet, after: PolicyRuleSet): PolicyRuleSet {
  const [chains, sets] = [goneChainsOf(before, after), goneSetsOf(before, after)];
  if (chains.length + sets.length === 0) return after;
  return {
    ...after,
    chains: new Map([...after.chains, ...chains.map((name) => [name, before.chains.get(name)!] as const)]),
    sets: new Map([...after.sets, ...sets.map((name) => [name, before.sets.get(name)!] as const)]),
  };
}

function newSetsOf(before: PolicyRuleSet, after: PolicyRuleSet): (readonly [string, PolicySet])[] {
  if (before.sets === after.sets) return [];
  return [...after.sets].filter(([name, set]) => !isSameSet(before.sets.get(name), set));
}

function newChainsOf(before: PolicyRuleSet, after: PolicyRuleSet): (readonly [string, readonly string[]])[] {
  if (before.chains === after.chains) return [];
  return [...after.chains].filter(([name, rules]) => !isSameChain(before.chains.get(name), rules));
}

function goneChainsOf(before: PolicyRuleSet, after: PolicyRuleSet): string[] {
  if (before.chains === after.chains) return [];
  return [...before.chains.keys()].filter((name) => !after.chains.has(name));
}

function goneSetsOf(before: PolicyRuleSet, after: PolicyRuleSet): string[] {
  if (before.sets === after.sets) return [];
  return [...before.sets.keys()].filter((name) => !after.sets.has(name));
}

/** Of sets that are in both: what comes, and what goes. */
function setChanges(
  before: PolicyRuleSet,
  after: PolicyRuleSet,
): (readonly [name: string, added: readonly string[], removed: readonly string[]])[] {
  const changes: (readonly [string, readonly string[], readonly string[]])[] = [];
  for (const [name, set] of after.sets) {
    const old = before.sets.get(name);
    if (old === undefined || old === set || !isSameSet(old, set)) continue;
    const { added, removed } = set.elements.since(old.elements);
    changes.push([name, added, removed]);
  }
  return changes;
}

/** What changes in the sets and maps of links. A changed element of a map is taken out and put in again. */
function linkSteps(before: PolicyRuleSet, after: PolicyRuleSet): ElementStep[] {
  const steps = [...chainSteps(before, after), ...ownSteps(before, after)];
  if (before.decided === after.decided) return steps;
  // weftd may have taken out what is to go.
  const [add, remove] = [missing(after.decided, before.decided), missing(before.decided, after.decided)];
  return [...steps, ...decidedSteps({ add, remove })];
}

function chainSteps(before: PolicyRuleSet, after: PolicyRuleSet): ElementStep[] {
  if (before.chainsByLink === after.chainsByLink) return [];
  const steps: ElementStep[] = [];
  const then = new Map(
    [...before.chainsByLink].filter(([link, its]) => after.chainsByLink.get(link) !== its),
  );
  const now = new Map([...after.chainsByLink].filter(([link, its]) => before.chainsByLink.get(link) !== its));
  for (const [name, way, view] of LINK_MAPS) {
    const chainOf = (links: PolicyRuleSet['chainsByLink'], link: string): string | undefined =>
      links.get(link)?.[way]?.[view];
    const changed = [...new Set([...then.keys(), ...now.keys()])].filter(
      (link) => chainOf(then, link) !== chainOf(now, link),
    );
    const held = changed.filter((link) => chainOf(then, link) !== undefined);
    const wanted = changed.filter((link) => chainOf(now, link) !== undefined);
    steps.push(
      step('delete', name, held.map(ofLink)),
      step(
        'add',
        name,
        wanted.map((link) => ({ link, goto: chainOf(now, link)! })),
      ),
    );
  }
  for (const [name, way] of LINK_SETS) {
    const [old, fresh] = [new Set(judgedLinks(then, way)), new Set(judgedLinks(now, way))];
    steps.push(
      step('delete', name, missing(old, fresh).map(ofLink)),
      step('add', name, missing(fresh, old).map(ofLink)),
    );
  }
  return steps.filter(({ elements }) => elements.length > 0);
}

/** What changes in the sets of who is attached and has which addresses; only links that differ are looked at. */
function ownSteps(
  { addressesByLink: before }: PolicyRuleSet,
  { addressesByLink: after }: PolicyRuleSet,
): ElementStep[] {
  if (before === after) return [];
  const then = new Map([...before].filter(([link, addresses]) => after.get(link) !== addresses));
  const now = new Map([...after].filter(([link, addresses]) => before.get(link) !== addresses));
  const stepsOf = (name: string, elementsOf: (links: typeof before) => TableElement[]): ElementStep[] => {
    const [old, fresh] = [then, now].map((links) => byText(elementsOf(links)));
    const goes = [...old!].filter(([text]) => !fresh!.has(text)).map(([, element]) => element);
    const comes = [...fresh!].filter(([text]) => !old!.has(text)).map(([, element]) => element);
    return [step('delete', name, goes), step('add', name, comes)];
  };
  return [
    ...stepsOf('attached', (links) => [...links.keys()].map(ofLink)),
    ...OWN_SETS.flatMap(([name, , family]) => stepsOf(name, (links) => ownElements(links, family))),
  ].filter(({ elements }) => elements.length > 0);
}

function step(verb: ElementStep['verb'], set: string, elements: readonly TableElement[]): ElementStep {
  return { verb, set, elements };
}

function byText(elements: readonly TableElement[]): Map<string, TableElement> {
  return new Map(elements.map((element) => [elementText(element), element]));
}

function ofLink(link: string): TableElement {
  return { link };
}

function ofAddress(address: string): TableElement {
  return { address };
}

function missing(all: ReadonlySet<string>, from: ReadonlySet<string>): string[] {
  return [...all].filter((element) => !from.has(element));
}

/** Whether one may become the other by its elements alone. */
function isSameSet(before: PolicySet | undefined, after: PolicySet): boolean {
  return before !== undefined && before.type === after.type && before.interval === after.interval;
}

function isSameChain(before: readonly string[] | undefined, after: readonly string[]): boolean {
  if (before === after) return true;
  return before?.length === after.length && before.every((rule, i) => rule === after[i]);
}

function sameDrops(a: DropSettings, b: DropSettings): boolean {
  return (
    a.reject === b.reject &&
    a.log?.group === b.log?.group &&
    a.log?.packetsPerSecond === b.log?.packetsPerSecond
  );
}

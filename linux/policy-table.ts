import type { Family } from '../base/address.ts';
import type { ElementSet } from './element-set.ts';
import { POLICY_TABLE, renderDecided, renderGateBlock, renderPolicyRemoval } from './policy-gate.ts';
import { DROP_COUNTERS, DROP_LOG_LIMIT, type DropSettings } from './policy-rules.ts';

/**
 * All that the table `inet weft-npc` holds, as plain data. What does not change from one rule set to the next should be
 * the same object in both: then it costs nothing to see that.
 */
export interface PolicyRuleSet {
  /** Links of pods that somebody has spoken for: the gate is open for them, and they are judged as `chainsByLink` says. */
  readonly decided: ReadonlySet<string>;
  /** The links that policies select, and where their packets are judged. */
  readonly chainsByLink: ReadonlyMap<string, LinkChains>;
  /** The addresses of each pod that is known here, as `formatAddress` writes them; at least one for each link. */
  readonly addressesByLink: ReadonlyMap<string, readonly string[]>;
  /** The rules of each chain but those of {@link BASE_CHAINS} and of the gate. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly sets: ReadonlyMap<string, PolicySet>;
  readonly drops: DropSettings;
}

/** The chains at which packets of a pod are judged; undefined: not in that direction. */
export interface LinkChains {
  readonly egress: ViewChains | undefined;
  readonly ingress: ViewChains | undefined;
}

/** One for each `View`. */
interface ViewChains {
  readonly straight: string;
  readonly turned: string;
}

/** A set that rules look up. */
export interface PolicySet {
  readonly type: 'ipv4_addr' | 'ipv6_addr' | 'inet_service';
  /** Its elements are blocks and ranges, disjoint; else single ones. */
  readonly interval: boolean;
  readonly elements: ElementSet;
}

/** The bit of an entry's labels that says that it began without SYN. */
const UNSURE = 'ct label 120';
const IS_NO_SYN = 'ct state new tcp flags & (fin | syn | rst | ack) != syn';
const HAS_NO_ENTRY = 'ct state invalid,untracked';
const DROP_INVALID = `counter name ${DROP_COUNTERS.invalid} drop`;
const DROP_FOREIGN_ERROR = `counter name ${DROP_COUNTERS.egress} drop`;
/**
 * An ICMP error has the direction of an answer to the packet that it tells of. So the end that may send it is the one from
 * which that direction comes, and a pod that has not this address is no end. weftd may have opened pods that are not known
 * here yet; nothing is asked of them. Routers and the node itself are no pods.
 */
const IF_ERROR_OF_POD = 'ct state related iifname @attached jump foreignErrors';

/**
 * Where packets come in. There are two hooks for the two directions, so that `accept` means no more than that one
 * direction allows, and two more for entries whose roles may be exchanged. Judged are, at input, only what a pod begins;
 * what its node sends to it never is. What leaves by output for a pod and comes from elsewhere, as in kube-proxy's ipvs
 * mode, is kept from pods that policies select for ingress.
 */
const BASE_CHAINS: Readonly<Record<string, readonly string[]>> = {
  // A rule that names a tuple's address matches flows of that family alone.
  foreignErrors: ['original', 'reply'].flatMap((direction) => [
    `ct direction ${direction} iifname . ct ${direction} ip saddr != @own4 ${DROP_FOREIGN_ERROR}`,
    `ct direction ${direction} iifname . ct ${direction} ip6 saddr != @own6 ${DROP_FOREIGN_ERROR}`,
  ]),
  forwardEgress: [
    'type filter hook forward priority filter; policy accept;',
    `${IS_NO_SYN} ${UNSURE.replace('label', 'label set')}`,
    `${HAS_NO_ENTRY} iifname @judged ${DROP_INVALID}`,
    `${HAS_NO_ENTRY} oifname @judged ${DROP_INVALID}`,
    IF_ERROR_OF_POD,
    'ct direction original iifname vmap @egress',
    'ct direction reply oifname vmap @egress',
  ],
  forwardIngress: [
    'type filter hook forward priority filter + 1; policy accept;',
    'ct direction original oifname vmap @ingress',
    'ct direction reply iifname vmap @ingress',
  ],
  forwardEgressTurned: [
    'type filter hook forward priority filter + 2; policy accept;',
    `${UNSURE} ct direction original oifname vmap @egressTurned`,
    `${UNSURE} ct direction reply iifname vmap @egressTurned`,
  ],
  forwardIngressTurned: [
    'type filter hook forward priority filter + 3; policy accept;',
    `${UNSURE} ct direction original iifname vmap @ingressTurned`,
    `${UNSURE} ct direction reply oifname vmap @ingressTurned`,
  ],
  inputEgress: [
    'type filter hook input priority filter; policy accept;',
    `iifname "wv*" ${IS_NO_SYN} ${UNSURE.replace('label', 'label set')}`,
    `${HAS_NO_ENTRY} iifname @judgedEgress ${DROP_INVALID}`,
    IF_ERROR_OF_POD,
    'ct direction original iifname vmap @egress',
    `${UNSURE} ct direction reply iifname vmap @egressTurned`,
  ],
  outputUnsure: [
    'type filter hook output priority filter; policy accept;',
    `oifname "wv*" ${IS_NO_SYN} ${UNSURE.replace('label', 'label set')}`,
    // Not the node's own: IPVS sends on what it balances here. The chains of pods cannot be asked, for the kernel knows no
    // way in here.
    `oifname @judgedIngress ct direction original fib saddr type != local counter name ${DROP_COUNTERS.ingress} drop`,
  ],
};

/** The maps from link to chain, and how each is filled. */
const MAPS = [
  ['egress', 'egress', 'straight'],
  ['ingress', 'ingress', 'straight'],
  ['egressTurned', 'egress', 'turned'],
  ['ingressTurned', 'ingress', 'turned'],
] as const;

/** The sets of links, each with an address of its pod. */
const OWN_SETS = [
  ['own4', 'ipv4_addr', 4],
  ['own6', 'ipv6_addr', 6],
] as const;

/** The batch that puts the whole table in place of what was there, the gate with it; the gate never opens meanwhile. */
export function renderPolicyTable(rules: PolicyRuleSet): string {
  const maps = MAPS.map(([name, way, view]) => {
    const elements = [...rules.chainsByLink]
      .map(([link, chains]) => [link, chains[way]?.[view]] as const)
      .filter(([, chain]) => chain !== undefined)
      .map(([link, chain]) => `"${link}" : goto ${chain}`);
    return `  map ${name} { type ifname : verdict;${elementsOf(elements)} }\n`;
  });
  const ownSets = OWN_SETS.map(
    ([name, type, family]) =>
      `  set ${name} { type ifname . ${type};${elementsOf(ownElements(rules, family))} }\n`,
  );
  const { log } = rules.drops;
  return `${renderPolicyRemoval()}table ${POLICY_TABLE} {
${renderGateBlock([...rules.decided])}
${Object.values(DROP_COUNTERS)
  .map((name) => `  counter ${name} {}\n`)
  .join(
    '',
  )}${log ? `  limit ${DROP_LOG_LIMIT} { rate ${log.packetsPerSecond}/second burst ${log.packetsPerSecond} packets }\n` : ''}
  set judged { type ifname;${elementsOf(judgedLinks(rules).map(quoted))} }
  set judgedEgress { type ifname;${elementsOf(judgedLinks(rules, 'egress').map(quoted))} }
  set judgedIngress { type ifname;${elementsOf(judgedLinks(rules, 'ingress').map(quoted))} }
  set attached { type ifname;${elementsOf([...rules.addressesByLink.keys()].map(quoted))} }
${ownSets.join('')}${maps.join('')}
${renderSets(rules.sets)}
${renderChains(rules.chains)}
${renderChains(new Map(Object.entries(BASE_CHAINS)))}}
`;
}

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
  const newSets = [...after.sets].filter(([name, set]) => !isSameSet(before.sets.get(name), set));
  const newChains = [...after.chains].filter(([name, rules]) => !isSameChain(before.chains.get(name), rules));
  for (const [name] of newChains)
    if (before.chains.has(name)) out.push(`flush chain ${POLICY_TABLE} ${name}\n`);
  if (newSets.length + newChains.length > 0) {
    const sets = renderSets(new Map(newSets));
    out.push(`table ${POLICY_TABLE} {\n${sets}${renderChains(new Map(newChains))}}\n`);
  }
  for (const [name, set] of after.sets) {
    const old = before.sets.get(name);
    if (old === undefined || old === set || !isSameSet(old, set)) continue;
    const { added, removed } = set.elements.since(old.elements);
    out.push(...elementLines(name, removed, added));
  }
  out.push(...mapLines(before, after));
  const goneChains = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const name of goneChains) out.push(`flush chain ${POLICY_TABLE} ${name}\n`);
  for (const name of goneChains) out.push(`delete chain ${POLICY_TABLE} ${name}\n`);
  for (const name of before.sets.keys())
    if (!after.sets.has(name)) out.push(`delete set ${POLICY_TABLE} ${name}\n`);
  return out.join('');
}

/** What changes in the sets and maps of links. A changed element of a map is taken out and put in again. */
function mapLines(before: PolicyRuleSet, after: PolicyRuleSet): string[] {
  const out: string[] = [];
  if (before.chainsByLink !== after.chainsByLink) {
    for (const [name, way, view] of MAPS) {
      const chainOf = (rules: PolicyRuleSet, link: string): string | undefined =>
        rules.chainsByLink.get(link)?.[way]?.[view];
      const changed = [...new Set([...before.chainsByLink.keys(), ...after.chainsByLink.keys()])].filter(
        (link) => chainOf(before, link) !== chainOf(after, link),
      );
      out.push(
        ...elementLines(
          name,
          changed.filter((link) => chainOf(before, link) !== undefined).map(quoted),
          changed
            .filter((link) => chainOf(after, link) !== undefined)
            .map((link) => `"${link}" : goto ${chainOf(after, link)}`),
        ),
      );
    }
    for (const [name, way] of [
      ['judged', undefined],
      ['judgedEgress', 'egress'],
      ['judgedIngress', 'ingress'],
    ] as const) {
      const [then, now] = [new Set(judgedLinks(before, way)), new Set(judgedLinks(after, way))];
      out.push(...elementLines(name, missing(then, now).map(quoted), missing(now, then).map(quoted)));
    }
  }
  out.push(...ownLines(before.addressesByLink, after.addressesByLink));
  if (before.decided === after.decided) return out;
  const add = missing(after.decided, before.decided);
  const remove = missing(before.decided, after.decided);
  return [...out, renderDecided({ add, remove })];
}

type AddressesByLink = PolicyRuleSet['addressesByLink'];

/** What changes in the sets of who is attached and has which addresses; only links that differ are looked at. */
function ownLines(before: AddressesByLink, after: AddressesByLink): string[] {
  if (before === after) return [];
  const then = new Map([...before].filter(([link, addresses]) => after.get(link) !== addresses));
  const now = new Map([...after].filter(([link, addresses]) => before.get(link) !== addresses));
  const lines = (name: string, elements: (of: AddressesByLink) => string[]): string[] => {
    const [old, fresh] = [new Set(elements(then)), new Set(elements(now))];
    return elementLines(name, missing(old, fresh), missing(fresh, old));
  };
  return [
    ...lines('attached', (links) => [...links.keys()].map(quoted)),
    ...OWN_SETS.flatMap(([name, , family]) =>
      lines(name, (addressesByLink) => ownElements({ addressesByLink }, family)),
    ),
  ];
}

function ownElements({ addressesByLink }: Pick<PolicyRuleSet, 'addressesByLink'>, family: Family): string[] {
  return [...addressesByLink].flatMap(([link, addresses]) =>
    addresses
      .filter((address) => address.includes(':') === (family === 6))
      .map((address) => `"${link}" . ${address}`),
  );
}

/** Links with a chain in direction `way`, or in any. */
function judgedLinks({ chainsByLink }: PolicyRuleSet, way?: 'egress' | 'ingress'): string[] {
  return [...chainsByLink]
    .filter(([, chains]) =>
      way === undefined
        ? chains.egress !== undefined || chains.ingress !== undefined
        : chains[way] !== undefined,
    )
    .map(([link]) => link);
}

function elementLines(name: string, removed: readonly string[], added: readonly string[]): string[] {
  const line = (verb: string, elements: readonly string[]): string[] =>
    elements.length === 0 ? [] : [`${verb} element ${POLICY_TABLE} ${name} { ${elements.join(', ')} }\n`];
  return [...line('delete', removed), ...line('add', added)];
}

function renderSets(sets: ReadonlyMap<string, PolicySet>): string {
  return [...sets]
    .map(([name, { type, interval, elements }]) => {
      const flags = interval ? ' flags interval;' : '';
      return `  set ${name} { type ${type};${flags}${elementsOf([...elements])} }\n`;
    })
    .join('');
}

function renderChains(chains: ReadonlyMap<string, readonly string[]>): string {
  return [...chains]
    .map(([name, rules]) => `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`)
    .join('');
}

function elementsOf(elements: readonly string[]): string {
  return elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`;
}

function quoted(link: string): string {
  return `"${link}"`;
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

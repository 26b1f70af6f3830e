import type { Family } from '../base/address.ts';
import type { ElementSet } from './element-set.ts';
import { elementText, type TableElement } from './elements/nftables-batch.ts';
import { POLICY_TABLE, renderGateBlock, renderPolicyRemoval } from './policy-gate.ts';
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
export const LINK_MAPS = [
  ['egress', 'egress', 'straight'],
  ['ingress', 'ingress', 'straight'],
  ['egressTurned', 'egress', 'turned'],
  ['ingressTurned', 'ingress', 'turned'],
] as const;

/** The sets of links that policies select: in any direction, or in one. */
export const LINK_SETS = [
  ['judged', undefined],
  ['judgedEgress', 'egress'],
  ['judgedIngress', 'ingress'],
] as const;

/** The sets of links, each with an address of its pod. */
export const OWN_SETS = [
  ['own4', 'ipv4_addr', 4],
  ['own6', 'ipv6_addr', 6],
] as const;

/** The batch that puts the whole table in place of what was there, the gate with it; the gate never opens meanwhile. */
export function renderPolicyTable(rules: PolicyRuleSet): string {
  const maps = LINK_MAPS.map(([name, way, view]) => {
    const elements = [...rules.chainsByLink]
      .map(([link, chains]) => [link, chains[way]?.[view]] as const)
      .filter(([, chain]) => chain !== undefined)
      .map(([link, chain]) => `"${link}" : goto ${chain}`);
    return `  map ${name} { type ifname : verdict;${elementsOf(elements)} }\n`;
  });
  const linkSets = LINK_SETS.map(
    ([name, way]) =>
      `  set ${name} { type ifname;${elementsOf(judgedLinks(rules.chainsByLink, way).map(quoted))} }\n`,
  );
  const ownSets = OWN_SETS.map(
    ([name, type, family]) =>
      `  set ${name} { type ifname . ${type};${elementsOf(ownElements(rules.addressesByLink, family).map(elementText))} }\n`,
  );
  const { log } = rules.drops;
  return `${renderPolicyRemoval()}table ${POLICY_TABLE} {
${renderGateBlock([...rules.decided])}
${Object.values(DROP_COUNTERS)
  .map((name) => `  counter ${name} {}\n`)
  .join(
    '',
  )}${log ? `  limit ${DROP_LOG_LIMIT} { rate ${log.packetsPerSecond}/second burst ${log.packetsPerSecond} packets }\n` : ''}
${linkSets.join('')}  set attached { type ifname;${elementsOf([...rules.addressesByLink.keys()].map(quoted))} }
${ownSets.join('')}${maps.join('')}
${renderSets(rules.sets)}
${renderChains(rules.chains)}
${renderChains(new Map(Object.entries(BASE_CHAINS)))}}
`;
}

/** The elements of {@link OWN_SETS} of a family. */
export function ownElements(
  addressesByLink: PolicyRuleSet['addressesByLink'],
  family: Family,
): TableElement[] {
  return [...addressesByLink].flatMap(([link, addresses]) =>
    addresses
      .filter((address) => address.includes(':') === (family === 6))
      .map((address) => ({ link, address })),
  );
}

/** Links with a chain in direction `way`, or in any. */
export function judgedLinks(
  chainsByLink: PolicyRuleSet['chainsByLink'],
  way?: 'egress' | 'ingress',
): string[] {
  return [...chainsByLink]
    .filter(([, chains]) =>
      way === undefined
        ? chains.egress !== undefined || chains.ingress !== undefined
        : chains[way] !== undefined,
    )
    .map(([link]) => link);
}

/** Sets with their elements, for within a block of the table. */
export function renderSets(sets: ReadonlyMap<string, PolicySet>): string {
  return [...sets]
    .map(([name, { type, interval, elements }]) => {
      const flags = interval ? ' flags interval;' : '';
      return `  set ${name} { type ${type};${flags}${elementsOf([...elements])} }\n`;
    })
    .join('');
}

/** Chains with their rules, for within a block of the table. */
export function renderChains(chains: ReadonlyMap<string, readonly string[]>): string {
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

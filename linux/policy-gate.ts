import { type CounterTable, drops } from '../base/counters.ts';
import { type ElementStep, elementText } from './elements/nftables-batch.ts';

/**
 * The gate: the part of the table `inet weft-npc` that keeps pods apart from everything until somebody has spoken for
 * them. weftd lays it and keeps it; `weft-npc` writes the rest of the table and must keep the gate in it.
 *
 * Names and types here are a contract between versions of the two programs: they may be added to and never changed.
 * - {@link POLICY_TABLE} is the table.
 * - {@link DECIDED_SET} is a set of type `ifname`: host ends of pods for which somebody has spoken. weft-npc puts a link
 *   there in the transaction that loads its rules; weftd puts there whom it may open by itself (npc/gate/).
 * - {@link GATE_CHAINS} drop what is forwarded from or to a pod that is not in the set, and what such a pod begins with
 *   its node. What the node begins, as probes, and the answers to it pass.
 * - Sets of single addresses hold those of pods and nodes that rules tell apart: type `ipv4_addr` or `ipv6_addr`, not of
 *   intervals. Where the name begins with `h`, the set holds whoever is known, also what is no pod. weftd reads them
 *   before it opens a pod by itself ({@link addressesIn}).
 *
 * It goes by interface, not by address: a link's name is known before it is up, one element serves both families, and
 * an address that is dealt out again inherits nothing.
 */
export const POLICY_TABLE = 'inet weft-npc';
export const DECIDED_SET = 'decided';
export const GATE_CHAINS = ['gateForward', 'gateInput'] as const;

/** What the gate counts: packets that the kernel dropped since the table was last laid. */
export const GATE_COUNTERS = {
  'gate.dropForwarded': drops(
    'packet',
    'Packets from or to a pod for which no policy was decided yet. A few at the start of a pod are usual.',
  ),
  'gate.dropInput': drops(
    'packet',
    'Packets to the node itself from a pod for which no policy was decided yet. A few at the start of a pod are usual.',
  ),
} as const satisfies CounterTable;

/** A name that the gate counts under. */
export type GateCounter = keyof typeof GATE_COUNTERS;

/** The names of the counters in nft. */
export const NFT_GATE_COUNTER: Readonly<Record<GateCounter, string>> = {
  'gate.dropForwarded': 'gateForward',
  'gate.dropInput': 'gateInput',
};

const GATED = '"wv*"';

/** True for the names that host ends of pods have, `wv` and 11 hex digits; no other name ever goes into the set. */
export function isGatedLink(name: string): boolean {
  return /^wv[0-9a-f]{11}$/.test(name);
}

/**
 * The gate within a block `table inet weft-npc { … }`, for whoever writes the whole table in one transaction: counters,
 * the set with `decided` in it, and both chains. Every name in `decided` must be one of {@link isGatedLink}.
 */
export function renderGateBlock(decided: readonly string[]): string {
  const elements = decided.length === 0 ? '' : ` elements = { ${elementsOf(decided)} }`;
  return `  counter gateForward {}
  counter gateInput {}
  set ${DECIDED_SET} { type ifname;${elements} }

  chain gateForward {
    type filter hook forward priority filter - 1; policy accept;
${FORWARD_RULES.map((rule) => `    ${rule}\n`).join('')}  }

  chain gateInput {
    type filter hook input priority filter - 1; policy accept;
${INPUT_RULES.map((rule) => `    ${rule}\n`).join('')}  }
`;
}

/**
 * The batch that lays the gate and leaves everything else in the table as it is. Elements of the set stay too; `add` are
 * put there, `remove` taken out where they are. It fails where the table has something else under one of these names.
 */
export function renderGate(change: GateChange = {}): string {
  return `add table ${POLICY_TABLE}
add counter ${POLICY_TABLE} gateForward
add counter ${POLICY_TABLE} gateInput
add set ${POLICY_TABLE} ${DECIDED_SET} { type ifname; }
add chain ${POLICY_TABLE} gateForward { type filter hook forward priority filter - 1; policy accept; }
add chain ${POLICY_TABLE} gateInput { type filter hook input priority filter - 1; policy accept; }
flush chain ${POLICY_TABLE} gateForward
flush chain ${POLICY_TABLE} gateInput
${FORWARD_RULES.map((rule) => `add rule ${POLICY_TABLE} gateForward ${rule}\n`).join('')}${INPUT_RULES.map((rule) => `add rule ${POLICY_TABLE} gateInput ${rule}\n`).join('')}${renderDecided(change)}`;
}

/** The batch that puts a gate alone in place of the whole table, whatever that held. */
export function renderGateAlone(decided: readonly string[]): string {
  return `${renderPolicyRemoval()}table ${POLICY_TABLE} {\n${renderGateBlock(decided)}}\n`;
}

/** What changes in the set; every name must be one of {@link isGatedLink}. */
export interface GateChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

/** The batch that changes the set alone. It fails where there is no gate; to remove what is not there does not. */
export function renderDecided(change: GateChange): string {
  return decidedSteps(change).map(renderStep).join('');
}

/** The same change as steps. */
export function decidedSteps({ add = [], remove = [] }: GateChange): ElementStep[] {
  // A deletion of the same element twice fails.
  const [comes, goes] = [add, remove].map((links) => [...new Set(links)].map((link) => ({ link })));
  // A deletion of what is not there fails, and with it all; so it is put there first.
  const steps: ElementStep[] = [
    { verb: 'add', set: DECIDED_SET, elements: goes! },
    { verb: 'delete', set: DECIDED_SET, elements: goes! },
    { verb: 'add', set: DECIDED_SET, elements: comes! },
  ];
  return steps.filter(({ elements }) => elements.length > 0);
}

/** A step as nft reads it. */
export function renderStep({ verb, set, elements }: ElementStep): string {
  return renderElements(verb, set, elements.map(elementText));
}

/** The same with `elements` as nft reads them; empty where there are none. */
export function renderElements(verb: ElementStep['verb'], set: string, elements: readonly string[]): string {
  return elements.length === 0 ? '' : `${verb} element ${POLICY_TABLE} ${set} { ${elements.join(', ')} }\n`;
}

/** The batch that removes the table; it succeeds where there is none. */
export function renderPolicyRemoval(): string {
  return `table ${POLICY_TABLE}\ndelete table ${POLICY_TABLE}\n`;
}

/** The links in the set, of what `nft list set` says of it. */
export function decidedIn(listing: string): Set<string> {
  return new Set([...listing.matchAll(/"(wv[0-9a-f]{11})"/g)].map(([, name]) => name!));
}

/** Addresses that rules take for somebody's: those of pods and nodes that they tell apart, and those of all who are known. */
export interface TableAddresses {
  readonly peers: ReadonlySet<string>;
  readonly known: ReadonlySet<string>;
}

/** What sets of single addresses hold, of what `nft list sets` says of a table. Undefined where the listing is not whole. */
export function addressesIn(listing: string): TableAddresses | undefined {
  if (!listing.endsWith('}\n')) return undefined;
  const [peers, known] = [new Set<string>(), new Set<string>()];
  for (const [, name, body] of listing.matchAll(/\n\tset ([^\n]*) \{\n(.*?)\n\t\}/gs)) {
    const addresses = name!.startsWith('h') ? known : peers;
    if (!/^\t\ttype ipv[46]_addr$/m.test(body!) || /^\t\tflags .*interval/m.test(body!)) continue;
    const elements = body!.indexOf('elements = {');
    if (elements < 0) continue;
    for (const each of body!.slice(elements).match(/[0-9a-f.:]*[.:][0-9a-f.:]*/g) ?? []) addresses.add(each);
  }
  return { peers, known };
}

const FORWARD_RULES = ['iifname', 'oifname'].map(
  (way) => `${way} ${GATED} ${way} != @${DECIDED_SET} counter name gateForward drop`,
);

/** What has no entry of connection tracking has no direction, and is dropped. */
const INPUT_RULES = [
  `iifname ${GATED} iifname != @${DECIDED_SET} ct direction reply accept`,
  `iifname ${GATED} iifname != @${DECIDED_SET} counter name gateInput drop`,
];

function elementsOf(links: readonly string[]): string {
  // A deletion of the same element twice fails.
  return [...new Set(links)].map((link) => `"${link}"`).join(', ');
}

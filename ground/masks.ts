import { ADDRESS_BITS } from '../base/address.ts';
import { formatRange, intersectRanges, type Range, rangeCidrs, rangeSize } from '../base/range.ts';
import { type Warning, warningOf } from '../base/warning.ts';
import { isOwnLink, type OwnLinks } from '../linux/host-survey.ts';
import type { Link } from '../linux/rtnetlink/link.ts';
import { type HostRoute, ROUTE_PROTOCOL_WEFT, ROUTE_TABLE_MAIN } from '../linux/rtnetlink/route.ts';
import type { PolicyRule } from '../linux/rtnetlink/rule.ts';
import { GROUND_WARNINGS } from './ground-warnings.ts';
import type { HostGround } from './host-ground.ts';

/** What of the ground leads packets to pods. */
type PodRouting = Pick<HostGround, 'tun' | 'podPrefix' | 'ranges'>;

/** What decides where packets go. */
interface Routing {
  /** Of all tables, both families. */
  readonly routes: readonly HostRoute[];
  /** Of policy routing, both families. */
  readonly rules: readonly PolicyRule[];
  readonly linkByIndex: ReadonlyMap<number, NamedLink>;
}

type NamedLink = Pick<Link, 'name' | 'kind'>;

/** At most so many are told. */
export const MAX_MASKS = 8;

const TABLE_LOCAL = 255;
/** What a rule does that looks nowhere. */
const REFUSALS: ReadonlySet<PolicyRule['action']> = new Set(['blackhole', 'unreachable', 'prohibit']);
/** Addresses in half of IPv4, as some VPNs route it. */
const HALF_OF_ALL = 2n ** 31n;
/** The metric of our own routes into the tunnel: what is lower wins at the same length. */
const OWN_METRIC = 50;

/**
 * A warning of each thing that leads packets for pods elsewhere: routes in the main table that are more
 * specific than that of a pod range, addresses of the host within it, and rules of policy routing that come before the main
 * table or take its place. The packet rules drop what would leave by them; only who made them can know what they are for,
 * so they are left alone.
 */
export function masksOf({ routes, rules, linkByIndex }: Routing, ground: PodRouting): Warning[] {
  const masks: Warning[] = [];
  const foreign = routes.filter(
    ({ protocol, link = 0 }) => protocol !== ROUTE_PROTOCOL_WEFT && !isOwnLink(linkByIndex.get(link), ground),
  );
  const toldRules = new Set<PolicyRule>();
  const blocks = ground.ranges.map((range) => ({ range, largest: largestBlock(range) }));

  for (const route of foreign) {
    // The table of the host's own addresses comes before all others.
    const own = route.table === TABLE_LOCAL && route.kind === 'local';
    if (!own && (route.table !== ROUTE_TABLE_MAIN || route.kind === 'local' || route.kind === 'other'))
      continue;
    const masked = blocks.find(({ range, largest }) => {
      if (!intersectRanges(range, route.destination)) return false;
      const size = rangeSize(route.destination);
      return own || size < largest || (size === largest && route.metric < OWN_METRIC);
    });
    if (!masked) continue;
    const told = own ? addressMask : routeMask;
    masks.push(told(route, masked.range, linkByIndex));
  }
  for (const { range, largest } of blocks) {
    const inOrder = metRules(rules, range);
    const { length } = inOrder;
    const main = inOrder.findIndex(
      (rule) => leadsToMain(rule) && isForAll(rule, range) && !suppresses(rule, largest, range),
    );
    for (const rule of inOrder.slice(0, main < 0 ? length : main)) {
      if (rule.table === TABLE_LOCAL || !concernsPods(rule, ground)) continue;
      if (rule.destination !== undefined && !intersectRanges(range, rule.destination)) continue;
      if (!REFUSALS.has(rule.action) && !tableTakes(foreign, rule.table, range)) continue;
      // Two ranges of a family have the same rules: each is told once.
      if (!toldRules.has(rule)) masks.push(ruleMask(rule, range));
      toldRules.add(rule);
    }
    const leads = inOrder.some(
      (rule) => leadsToMain(rule) && !rule.narrowed && !suppresses(rule, largest, range),
    );
    // A kernel without policy routing lists none.
    if (!leads && rules.some(({ family }) => family === range.family)) masks.push(noMainTable(range));
  }
  return masks.slice(0, MAX_MASKS);
}

/** Names of the interfaces by which packets leave for the rest of the world: those of default routes, and of halves of them. */
export function waysOut(
  routes: readonly HostRoute[],
  linkByIndex: ReadonlyMap<number, NamedLink>,
  own: OwnLinks,
): string[] {
  const names = routes
    .filter(({ kind, destination }) => kind === 'unicast' && rangeSize(destination) >= HALF_OF_ALL)
    .map(({ link = 0 }) => linkByIndex.get(link))
    .filter((link) => link !== undefined && !isOwnLink(link, own))
    .map((link) => link!.name);
  return [...new Set(names)].slice(0, MAX_MASKS);
}

// -- parts ----------------------------------------------------------------------------------------------------

function routeMask(route: HostRoute, range: Range, linkByIndex: ReadonlyMap<number, NamedLink>): Warning {
  const { destination, link, kind } = route;
  const name = link === undefined ? undefined : linkByIndex.get(link)?.name;
  return warningOf(GROUND_WARNINGS, 'E_ROUTE_MASKS_PODS', {
    route: formatRange(destination),
    where: kind === 'unicast' ? (name === undefined ? '' : ` by ${name}`) : ` (${kind})`,
    range: formatRange(range),
  });
}

function addressMask(
  { destination, link }: HostRoute,
  range: Range,
  linkByIndex: ReadonlyMap<number, NamedLink>,
): Warning {
  const name = (link === undefined ? undefined : linkByIndex.get(link)?.name) ?? 'lo';
  const values = { address: formatRange(destination), link: name, range: formatRange(range) };
  return warningOf(GROUND_WARNINGS, 'E_ADDRESS_MASKS_PODS', values);
}

function noMainTable(range: Range): Warning {
  const values = { range: formatRange(range), family: range.family };
  return warningOf(GROUND_WARNINGS, 'E_NO_RULE_TO_MAIN', values);
}

function ruleMask({ priority, table, family, action }: PolicyRule, range: Range): Warning {
  const before = Math.max(1, priority - 1);
  const what = action === 'lookup' ? `lookup ${table}` : action;
  const values = { priority, what, family, range: formatRange(range), before };
  return warningOf(GROUND_WARNINGS, 'E_RULE_MASKS_PODS', values);
}

/** The rules of the range's family that a packet meets, in order: those that a rule for all packets leaps over are left out. */
function metRules(rules: readonly PolicyRule[], range: Range): PolicyRule[] {
  const met: PolicyRule[] = [];
  let from = 0;
  for (const rule of rules
    .filter(({ family }) => family === range.family)
    .sort((a, b) => a.priority - b.priority)) {
    if (rule.priority < from) continue;
    if (rule.action === 'goto' && isForAll(rule, range)) from = rule.target ?? 0;
    else met.push(rule);
  }
  return met;
}

/** Whether `table` takes packets for the range that are looked up in it. A route `throw` sends them on to the next rule. */
function tableTakes(foreign: readonly HostRoute[], table: number, range: Range): boolean {
  const inside = foreign.filter(
    (route) => route.table === table && intersectRanges(range, route.destination),
  );
  const spared = inside.some(({ kind, destination }) => kind === 'throw' && covers(destination, range));
  // What is more specific than that takes its part all the same.
  return inside.some(
    ({ kind, destination }) => kind !== 'throw' && (!spared || rangeSize(destination) < rangeSize(range)),
  );
}

/** Whether all packets for the range fall under the rule. */
function isForAll(rule: PolicyRule, range: Range): boolean {
  const { source, destination, incomingInterface, outgoingInterface, mark, inverted, narrowed } = rule;
  if (destination !== undefined && !covers(destination, range)) return false;
  const limits = [source, incomingInterface, outgoingInterface, mark];
  return !inverted && !narrowed && limits.every((limit) => limit === undefined);
}

function leadsToMain({ action, table }: PolicyRule): boolean {
  return action === 'lookup' && table === ROUTE_TABLE_MAIN;
}

function covers(outer: Range, range: Range): boolean {
  const common = intersectRanges(outer, range);
  return common !== undefined && rangeSize(common) === rangeSize(range);
}

/** Whether the rule passes over our route to the largest block of the range. */
function suppresses({ suppressedPrefix }: PolicyRule, largest: bigint, { family }: Range): boolean {
  if (suppressedPrefix === undefined) return false;
  return ADDRESS_BITS[family] - (largest.toString(2).length - 1) <= suppressedPrefix;
}

/** Whether packets of pods, or of the host for pods, may fall under the rule. Marked ones are others'. */
function concernsPods(rule: PolicyRule, { tun, podPrefix, ranges }: PodRouting): boolean {
  const { action, table, outgoingInterface } = rule;
  const leadsAway = action === 'lookup' ? table !== ROUTE_TABLE_MAIN : REFUSALS.has(action);
  if (!leadsAway || outgoingInterface !== undefined) return false;
  if (rule.mark !== undefined && !rule.inverted) return false;
  const by = rule.incomingInterface;
  if (by !== undefined && by !== 'lo' && by !== tun && !by.startsWith(podPrefix)) return false;
  return rule.source === undefined || ranges.some((range) => intersectRanges(range, rule.source!));
}

/** The size of the largest CIDR block of a range, which our own route goes to. */
function largestBlock(range: Range): bigint {
  const bits = range.family === 4 ? 32 : 128;
  const lengths = rangeCidrs(range).map((cidr) => Number(cidr.split('/')[1]));
  return 1n << BigInt(bits - Math.min(...lengths));
}

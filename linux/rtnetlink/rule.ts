import { type Address, addressFromBytes } from '../../base/address.ts';
import { readU32LE } from '../../base/bytes.ts';
import type { Range } from '../../base/range.ts';
import { attributeText, attributeU32, type NetlinkMessage, parseAttributes } from '../netlink-message.ts';
import { dump, type NetlinkRequest } from '../netlink-request.ts';
import { familyNumber, familyOf } from './interface-address.ts';
import { block } from './route.ts';

/** A rule of policy routing (`ip rule`) as the kernel lists it. */
export interface PolicyRule {
  readonly family: 4 | 6;
  /** Lower comes first. */
  readonly priority: number;
  /** Of what packets it speaks; undefined: of all. */
  readonly source: Range | undefined;
  readonly destination: Range | undefined;
  readonly incomingInterface: string | undefined;
  readonly outgoingInterface: string | undefined;
  readonly mark: number | undefined;
  /** It speaks of some packets only by what is not read here: protocol, ports, class, user, tunnel. */
  readonly narrowed: boolean;
  /** It speaks of what is not so (`ip rule add not …`). */
  readonly inverted: boolean;
  readonly action: RuleAction;
  /** The routing table of `action` lookup; 0 for others. */
  readonly table: number;
  /** Routes with prefixes of up to so many bits do not count (`suppress_prefixlength`); undefined: all count. */
  readonly suppressedPrefix: number | undefined;
  /** The priority at which `action` goto goes on. */
  readonly target: number | undefined;
  /** Who made it, RTPROT_*: 2 the kernel. */
  readonly protocol: number;
}

type RuleAction = 'lookup' | 'goto' | 'blackhole' | 'unreachable' | 'prohibit' | 'other';

const RTM_NEWRULE = 32;
const RTM_GETRULE = 34;
const HEADER_LENGTH = 12;
const FIB_RULE_INVERT = 0x02;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;
/** FLOW, TUN_ID, UID_RANGE, IP_PROTO, SPORT_RANGE, DPORT_RANGE, DSCP, FLOWLABEL: sent where the rule has them. */
const FRA_NARROWING = [11, 12, 20, 22, 23, 24, 25, 26];
const NO_SUPPRESSION = 0xffff_ffff;
const ACTION_BY_NUMBER: Readonly<Record<number, RuleAction>> = {
  1: 'lookup',
  2: 'goto',
  6: 'blackhole',
  7: 'unreachable',
  8: 'prohibit',
};

/** All rules of a family. */
export function dumpRules(family: 4 | 6): NetlinkRequest {
  const header = new Uint8Array(HEADER_LENGTH);
  header[0] = familyNumber(family);
  return dump('list rules', RTM_GETRULE, header);
}

/**
 * Reads a rule message (<linux/fib_rules.h>); undefined where it is another message, malformed, or of another family.
 *
 * ```
 *   0        1            2            3     4       5          7        8       12
 *   | family | dst prefix | src prefix | tos | table | reserved | action | flags | attributes …
 * ```
 */
export function parseRule(message: NetlinkMessage): PolicyRule | undefined {
  const { type, payload } = message;
  if (type !== RTM_NEWRULE || payload.length < HEADER_LENGTH) return undefined;
  const family = familyOf(payload[0]!);
  const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
  if (!family || !attributes.ok) return undefined;
  const range = (attributeType: number, prefix: number): Range | undefined => {
    const value = attributes.value.get(attributeType);
    const address: Address | undefined = value && addressFromBytes(value);
    return address?.family === family ? block(address, prefix) : undefined;
  };
  const suppressed = attributeU32(attributes.value, FRA_SUPPRESS_PREFIXLEN);
  return {
    family,
    priority: attributeU32(attributes.value, FRA_PRIORITY) ?? 0,
    source: range(FRA_SRC, payload[2]!),
    destination: range(FRA_DST, payload[1]!),
    incomingInterface: attributeText(attributes.value, FRA_IIFNAME),
    outgoingInterface: attributeText(attributes.value, FRA_OIFNAME),
    mark: attributeU32(attributes.value, FRA_FWMARK),
    narrowed: payload[3] !== 0 || FRA_NARROWING.some((type) => attributes.value.has(type)),
    inverted: (readU32LE(payload, 8) & FIB_RULE_INVERT) !== 0,
    action: ACTION_BY_NUMBER[payload[7]!] ?? 'other',
    table: attributeU32(attributes.value, FRA_TABLE) ?? payload[4]!,
    suppressedPrefix: suppressed === NO_SUPPRESSION ? undefined : suppressed,
    target: attributeU32(attributes.value, FRA_GOTO),
    protocol: attributes.value.get(FRA_PROTOCOL)?.[0] ?? 0,
  };
}

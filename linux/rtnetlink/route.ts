import {
  ADDRESS_BITS,
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
} from '../../base/address.ts';
import { assert } from '../../base/assert.ts';
import { readU32LE, writeU32LE } from '../../base/bytes.ts';
import { formatRange, type Range, rangeSize } from '../../base/range.ts';
import {
  attribute,
  attributeU32,
  join,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  nestedAttribute,
  parseAttributes,
  u32Attribute,
} from '../netlink-message.ts';
import { command, dump, type NetlinkRequest } from '../netlink-request.ts';
import { familyNumber, familyOf } from './interface-address.ts';

/** A route as we set it. */
export interface RouteSettings {
  /** One CIDR block. */
  readonly destination: Range;
  /** Default `unicast`. */
  readonly kind?: RouteKind;
  /** Index of the outgoing interface; not for `blackhole` and `unreachable`. */
  readonly link?: number;
  /** Next hop; none where the destination is on the link. */
  readonly gateway?: Address;
  /** The gateway counts as on the link although no address says so. */
  readonly onLink?: boolean;
  /** Lower wins. Default 0 for IPv4 and the kernel's 1024 for IPv6. */
  readonly metric?: number;
  readonly preferredSource?: Address;
  readonly table?: number;
  readonly mtu?: number;
  readonly advertisedMss?: number;
}

/** How a route is looked up. */
interface RouteLookup {
  /** The table's entry that decides, not the route that results. */
  readonly entry?: boolean;
  /** As for a packet with this source that came in by the interface of that index; else for one of the host itself. */
  readonly from?: { readonly source: Address; readonly link: number };
}

/** A route as the kernel lists it. */
export interface HostRoute {
  readonly destination: Range;
  readonly kind: RouteKind | 'prohibit' | 'throw' | 'local' | 'other';
  readonly link: number | undefined;
  readonly gateway: Address | undefined;
  readonly metric: number;
  readonly preferredSource: Address | undefined;
  readonly table: number;
  /** Who made it, RTPROT_*: 2 kernel, {@link ROUTE_PROTOCOL_WEFT} us. */
  readonly protocol: number;
  readonly mtu: number | undefined;
}

type RouteKind = 'unicast' | 'blackhole' | 'unreachable';

/** Marks our routes (`ip route show proto 87`), so that we find them after a crash and never touch another's. */
export const ROUTE_PROTOCOL_WEFT = 87;
export const ROUTE_TABLE_MAIN = 254;

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const HEADER_LENGTH = 12;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_TABLE = 15;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RTM_F_FIB_MATCH = 0x2000;
const SCOPE_UNIVERSE = 0;
const SCOPE_LINK = 253;
const SCOPE_NOWHERE = 255;
const RTN_PROHIBIT = 8;
const RTN_THROW = 9;
const KIND_NUMBER = { unicast: 1, blackhole: 6, unreachable: 7 } as const;

/** EEXIST where there is a route to the same destination with the same metric. */
export function addRoute(route: RouteSettings): NetlinkRequest {
  return changeRoute('add', RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

/** Adds the route, or puts it in place of the one with the same destination and metric. */
export function replaceRoute(route: RouteSettings): NetlinkRequest {
  return changeRoute('replace', RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

/** Deletes the first route that agrees in all that is given, ours only. ESRCH where none does. */
export function deleteRoute(route: RouteSettings): NetlinkRequest {
  return changeRoute('delete', RTM_DELROUTE, 0, route);
}

/** All routes of a family; of one table where given (kernels before 4.20 send all). */
export function dumpRoutes(family: Family, table = 0): NetlinkRequest {
  const header = new Uint8Array(HEADER_LENGTH);
  header[0] = familyNumber(family);
  return dump(
    'list routes',
    RTM_GETROUTE,
    table === 0 ? header : join([header, u32Attribute(RTA_TABLE, table)]),
  );
}

/**
 * Asks which way a packet to `address` would go; answered with one route message, or ENETUNREACH. With `entry` the
 * answer is the table's entry that decides, without what ICMP has taught the kernel about the path since. With `from` also
 * EHOSTUNREACH where nothing is forwarded, EXDEV where the source does not belong to that interface.
 */
export function lookUpRoute(address: Address, options: RouteLookup = {}): NetlinkRequest {
  const { entry = false, from } = options;
  const header = new Uint8Array(HEADER_LENGTH);
  writeU32LE(header, 8, entry ? RTM_F_FIB_MATCH : 0);
  header[0] = familyNumber(address.family);
  header[1] = ADDRESS_BITS[address.family];
  if (from !== undefined) header[2] = ADDRESS_BITS[address.family];
  return command(
    'look up a route',
    RTM_GETROUTE,
    0,
    join([
      header,
      attribute(RTA_DST, addressBytes(address)),
      ...(from === undefined
        ? []
        : [attribute(RTA_SRC, addressBytes(from.source)), u32Attribute(RTA_IIF, from.link)]),
    ]),
  );
}

/**
 * Reads a route message; undefined where it is another message, malformed, of another family, or an entry of the
 * route cache in a dump (the answer to {@link lookUpRoute} is one, and is read with `cloned`).
 */
export function parseRoute(
  message: NetlinkMessage,
  options: { readonly cloned?: boolean } = {},
): HostRoute | undefined {
  const { type, payload } = message;
  if (type !== RTM_NEWROUTE || payload.length < HEADER_LENGTH) return undefined;
  const family = familyOf(payload[0]!);
  const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
  if (!family || !attributes.ok) return undefined;
  if (!options.cloned && (readU32LE(payload, 8) & RTM_F_CLONED) !== 0) return undefined;
  const address = (attributeType: number): Address | undefined => {
    const value = attributes.value.get(attributeType);
    const read = value && addressFromBytes(value);
    return read?.family === family ? read : undefined;
  };
  const destination = block(address(RTA_DST) ?? { family, value: 0n }, payload[1]!);
  if (!destination) return undefined;
  const metrics = attributes.value.get(RTA_METRICS);
  const parsedMetrics = metrics && parseAttributes(metrics);
  return {
    destination,
    kind: kindOf(payload[7]!),
    link: attributeU32(attributes.value, RTA_OIF),
    gateway: address(RTA_GATEWAY),
    metric: attributeU32(attributes.value, RTA_PRIORITY) ?? 0,
    preferredSource: address(RTA_PREFSRC),
    table: attributeU32(attributes.value, RTA_TABLE) ?? payload[4]!,
    protocol: payload[5]!,
    mtu: parsedMetrics?.ok ? attributeU32(parsedMetrics.value, RTAX_MTU) : undefined,
  };
}

/** The block of `prefix` leading bits that holds `address`; undefined where the prefix is too long. */
export function block(address: Address, prefix: number): Range | undefined {
  const bits = ADDRESS_BITS[address.family];
  if (prefix > bits) return undefined;
  const size = 1n << BigInt(bits - prefix);
  const start = address.value - (address.value % size);
  return { family: address.family, start, end: start + size };
}

/** The block of one address. */
export function hostBlock(address: Address): Range {
  return { family: address.family, start: address.value, end: address.value + 1n };
}

function changeRoute(verb: string, type: number, flags: number, route: RouteSettings): NetlinkRequest {
  const parts = [routeHeader(route, type)];
  const { destination } = route;
  if (prefixLength(destination) > 0) {
    parts.push(attribute(RTA_DST, addressBytes({ family: destination.family, value: destination.start })));
  }
  if (route.link !== undefined) parts.push(u32Attribute(RTA_OIF, route.link));
  if (route.gateway) parts.push(attribute(RTA_GATEWAY, addressBytes(route.gateway)));
  if (route.metric !== undefined) parts.push(u32Attribute(RTA_PRIORITY, route.metric));
  if (route.preferredSource) parts.push(attribute(RTA_PREFSRC, addressBytes(route.preferredSource)));
  if (route.table !== undefined) parts.push(u32Attribute(RTA_TABLE, route.table));
  const metrics: Uint8Array[] = [];
  if (route.mtu !== undefined) metrics.push(u32Attribute(RTAX_MTU, route.mtu));
  if (route.advertisedMss !== undefined) metrics.push(u32Attribute(RTAX_ADVMSS, route.advertisedMss));
  if (metrics.length > 0) parts.push(nestedAttribute(RTA_METRICS, ...metrics));
  return command(`${verb} route ${formatRange(destination)}`, type, flags, join(parts));
}

/**
 * ```
 *   0        1             2             3     4       5          6       7      8        12
 *   | family | dst prefix  | src prefix  | tos | table | protocol | scope | kind | flags  |
 * ```
 */
function routeHeader(route: RouteSettings, type: number): Uint8Array {
  const out = new Uint8Array(HEADER_LENGTH);
  const kind = route.kind ?? 'unicast';
  out[0] = familyNumber(route.destination.family);
  out[1] = prefixLength(route.destination);
  out[4] = (route.table ?? ROUTE_TABLE_MAIN) < 256 ? (route.table ?? ROUTE_TABLE_MAIN) : 0;
  out[5] = ROUTE_PROTOCOL_WEFT;
  // Without a gateway the destination is on the link; a deletion must not insist on a scope.
  const direct = kind === 'unicast' && !route.gateway && route.destination.family === 4;
  out[6] = type === RTM_DELROUTE ? SCOPE_NOWHERE : direct ? SCOPE_LINK : SCOPE_UNIVERSE;
  out[7] = KIND_NUMBER[kind];
  writeU32LE(out, 8, route.onLink ? RTNH_F_ONLINK : 0);
  return out;
}

function prefixLength(range: Range): number {
  const size = rangeSize(range);
  const log = size.toString(2).length - 1;
  assert(size === 1n << BigInt(log) && range.start % size === 0n, 'a route goes to one CIDR block');
  return ADDRESS_BITS[range.family] - log;
}

function kindOf(number: number): HostRoute['kind'] {
  if (number === KIND_NUMBER.unicast) return 'unicast';
  if (number === KIND_NUMBER.blackhole) return 'blackhole';
  if (number === KIND_NUMBER.unreachable) return 'unreachable';
  if (number === RTN_PROHIBIT) return 'prohibit';
  if (number === RTN_THROW) return 'throw';
  return number === 2 ? 'local' : 'other';
}

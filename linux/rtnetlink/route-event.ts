import { type NetlinkMessage, parseMessages } from '../netlink-message.ts';
import { type InterfaceAddress, parseInterfaceAddress } from './interface-address.ts';
import { type Link, parseLink } from './link.ts';
import { type Neighbour, parseNeighbour } from './neighbour.ts';
import { type Netconf, parseNetconf } from './netconf.ts';
import { type HostRoute, parseRoute } from './route.ts';
import { type PolicyRule, parseRule } from './rule.ts';

/** Multicast groups of NETLINK_ROUTE, <linux/rtnetlink.h> (RTNLGRP_*): who wants which events. */
export const ROUTE_GROUP = {
  link: 1,
  /** ARP and neighbour discovery; on a busy host these are many. */
  neighbour: 3,
  ipv4Address: 5,
  ipv4Route: 7,
  ipv4Rule: 8,
  ipv6Address: 9,
  ipv6Route: 11,
  ipv6Rule: 19,
  ipv4Netconf: 24,
  ipv6Netconf: 25,
  /** `ip nexthop`: a route by next-hop object changes with the object. */
  nextHop: 32,
} as const;

/**
 * What changed: `set` means that it is new or that something about it changed, and shows it as it is now; `deleted`
 * shows what it was.
 *
 * The kernel does not tell everything one by one: IPv4 routes that go because their interface went down, or lost its
 * address, go without an event of their own. Whoever watches routes watches links and addresses too.
 */
export type RouteEvent = { readonly change: 'set' | 'deleted' } & (
  | { readonly object: 'link'; readonly link: Link }
  | { readonly object: 'address'; readonly address: InterfaceAddress }
  | { readonly object: 'route'; readonly route: HostRoute }
  | { readonly object: 'rule'; readonly rule: PolicyRule }
  | { readonly object: 'neighbour'; readonly neighbour: Neighbour }
  | { readonly object: 'netconf'; readonly netconf: Netconf }
  /** Of a family or kind that Weft does not read, or malformed. `type` is RTM_*, 0 for a malformed datagram. */
  | { readonly object: 'other'; readonly type: number }
);

/** RTM_NEW* of each kind. RTM_DEL* is the next number, with the same form. */
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_NEWNEIGH = 28;
const RTM_NEWRULE = 32;
const RTM_NEWNETCONF = 80;
const AF_UNSPEC = 0;

/** The events in one datagram of a NETLINK_ROUTE group. What they hold is no view into `datagram`. */
export function parseRouteEvents(datagram: Uint8Array): RouteEvent[] {
  const messages = parseMessages(datagram);
  if (!messages.ok) return [{ change: 'set', object: 'other', type: 0 }];
  return messages.value.map(routeEvent);
}

function routeEvent(message: NetlinkMessage): RouteEvent {
  // Of each four numbers (NEW, DEL, GET, SET) only the first two are events.
  const change = (message.type & 3) === 1 ? 'deleted' : 'set';
  const base = message.type & ~3;
  return { change, ...(subject({ ...message, type: base }) ?? { object: 'other', type: message.type }) };
}

type Subject = RouteEvent extends infer E ? (E extends RouteEvent ? Omit<E, 'change'> : never) : never;

/** What a message of type RTM_NEW* speaks of; undefined where that cannot be read. */
function subject(message: NetlinkMessage): Subject | undefined {
  switch (message.type) {
    case RTM_NEWLINK: {
      // Of other families it is about the interface's part in a bridge or in IPv6, and deletes nothing but that.
      const link = message.payload[0] === AF_UNSPEC ? parseLink(message) : undefined;
      return link && { object: 'link', link };
    }
    case RTM_NEWADDR: {
      const address = parseInterfaceAddress(message);
      return address && { object: 'address', address };
    }
    case RTM_NEWROUTE: {
      const route = parseRoute(message);
      return route && { object: 'route', route };
    }
    case RTM_NEWRULE: {
      const rule = parseRule(message);
      return rule && { object: 'rule', rule };
    }
    case RTM_NEWNEIGH: {
      const neighbour = parseNeighbour(message);
      return neighbour && { object: 'neighbour', neighbour };
    }
    case RTM_NEWNETCONF: {
      const netconf = parseNetconf(message);
      return netconf && { object: 'netconf', netconf };
    }
    default:
      return undefined;
  }
}

import { readU32LE } from '../../base/bytes.ts';
import { attributeU32, type NetlinkMessage, parseAttributes } from '../netlink-message.ts';
import { familyOf } from './interface-address.ts';

/**
 * Settings of /proc/sys/net/ipv4|ipv6/conf/… whose changes the kernel announces. Changes of all other settings
 * (`accept_local`, `arp_ignore`, `disable_ipv6`, `route_localnet`, …) are found only by reading them. A message names what
 * changed; a field that it does not name is undefined.
 */
export interface Netconf {
  readonly family: 4 | 6;
  /** The index of an interface, or one of the two folders that are none. */
  readonly link: number | 'all' | 'default';
  readonly forwarding: number | undefined;
  /** IPv4 only. */
  readonly rpFilter: number | undefined;
  /** `proxy_arp` or `proxy_ndp`. */
  readonly proxyNeighbour: number | undefined;
}

const RTM_NEWNETCONF = 80;
/** One byte of family, padded. */
const HEADER_LENGTH = 4;
const NETCONFA_IFINDEX = 1;
const NETCONFA_FORWARDING = 2;
const NETCONFA_RP_FILTER = 3;
const NETCONFA_PROXY_NEIGH = 5;
const IFINDEX_ALL = -1;
const IFINDEX_DEFAULT = -2;

/** Reads a message of <linux/netconf.h>; undefined where it is another, malformed, or of another family. */
export function parseNetconf(message: NetlinkMessage): Netconf | undefined {
  const { type, payload } = message;
  if (type !== RTM_NEWNETCONF || payload.length < HEADER_LENGTH) return undefined;
  const family = familyOf(payload[0]!);
  const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
  if (!family || !attributes.ok) return undefined;
  const index = attributes.value.get(NETCONFA_IFINDEX);
  if (index?.length !== 4) return undefined;
  const link = readU32LE(index, 0) | 0;
  return {
    family,
    link: link === IFINDEX_ALL ? 'all' : link === IFINDEX_DEFAULT ? 'default' : link,
    forwarding: attributeU32(attributes.value, NETCONFA_FORWARDING),
    rpFilter: attributeU32(attributes.value, NETCONFA_RP_FILTER),
    proxyNeighbour: attributeU32(attributes.value, NETCONFA_PROXY_NEIGH),
  };
}

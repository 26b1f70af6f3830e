import { readU32LE, writeU32LE } from '../../base/bytes.ts';
import {
  type Attributes,
  attribute,
  attributeText,
  attributeU32,
  join,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  nestedAttribute,
  parseAttributes,
  textAttribute,
  u8Attribute,
  u32Attribute,
} from '../netlink-message.ts';
import { command, dump, type NetlinkRequest } from '../netlink-request.ts';

/** A network interface as the kernel lists it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** It is up, has its carrier, and the kernel has begun to send by it (RFC 2863, ifOperStatus up). */
  readonly running?: boolean | undefined;
  readonly mtu: number;
  readonly txQueueLength: number;
  /** Hardware address; empty for interfaces without one. */
  readonly mac: Uint8Array;
  readonly alias: string | undefined;
  /** `veth`, `tun`, `bridge`, …; undefined for hardware and loopback. */
  readonly kind: string | undefined;
  /** Index of the other end or lower interface, in whatever namespace that is. */
  readonly peerIndex: number | undefined;
  readonly loopback: boolean;
  /** It answers ARP and neighbour discovery, and asks by them. */
  readonly arp: boolean;
  /** Index of the bridge, bond or VRF that has it as a port. */
  readonly masterIndex: number | undefined;
  /** How often it has lost its carrier, as a veth does whenever either end is set down. */
  readonly carrierLosses?: number;
  /** It forwards IPv4. Told where links are asked for, not with all events. */
  readonly forwards4?: boolean | undefined;
}

/** An interface by index, or by name of 1–15 bytes. */
export type LinkReference = number | string;

/** A network namespace: a descriptor of one, or a process in one. */
type NamespaceReference = { readonly fd: number } | { readonly pid: number };

/** Per-interface IPv4 settings, as under /proc/sys/net/ipv4/conf/. */
export interface Ipv4Settings {
  readonly forwarding?: number;
  readonly proxyArp?: number;
  readonly acceptRedirects?: number;
  readonly sendRedirects?: number;
  readonly rpFilter?: number;
  readonly acceptSourceRoute?: number;
  readonly arpIgnore?: number;
}

/** What of an interface to set; what is undefined stays. */
interface LinkSettings {
  readonly up?: boolean;
  readonly arp?: boolean;
  /** Index of the bridge, bond or VRF that has it as a port; 0 for none. */
  readonly master?: number;
  readonly name?: string;
  readonly mtu?: number;
  /** 6 bytes. */
  readonly mac?: Uint8Array;
  readonly alias?: string;
  readonly txQueueLength?: number;
  /** Moves the interface there; the rest is then set on arrival. */
  readonly namespace?: NamespaceReference;
}

/** An end of a new veth pair. Without `alias`, which the kernel takes from {@link setLink} only. */
interface VethEnd extends Omit<LinkSettings, 'alias'> {
  readonly name: string;
}

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const HEADER_LENGTH = 16;
const IFF_UP = 1;
/** Of `linux/if.h`. */
const IF_OPER_UP = 6;
const IFF_LOOPBACK = 8;
const IFF_NOARP = 0x80;
const AF_INET = 2;
const AF_INET6 = 10;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_CARRIER_DOWN_COUNT = 48;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_TXQLEN = 13;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_PID = 19;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_INET_CONF = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_MODE_NONE = 1;

/** IPV4_DEVCONF_* numbers, <linux/ip.h>. */
const IPV4_SETTING = {
  forwarding: 1,
  proxyArp: 3,
  acceptRedirects: 4,
  sendRedirects: 6,
  rpFilter: 8,
  acceptSourceRoute: 9,
  arpIgnore: 19,
} as const satisfies Record<keyof Ipv4Settings, number>;

/**
 * Creates a veth pair: `near` in the socket's namespace, `far` in `far.namespace` (default the same one). It is one
 * act: the kernel makes both or, with EEXIST where either name is taken, neither.
 */
export function createVeth(near: VethEnd, far: VethEnd): NetlinkRequest {
  const data = nestedAttribute(
    IFLA_INFO_DATA,
    nestedAttribute(VETH_INFO_PEER, linkHeader(0, far), ...settingAttributes(far)),
  );
  const info = nestedAttribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, ascii('veth')), data);
  const body = join([linkHeader(0, near), ...settingAttributes(near), info]);
  return command(`create veth ${near.name} and ${far.name}`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
}

/** Changes an interface. By name, `settings.name` must be left out: the attribute is one and the same. */
export function setLink(link: LinkReference, settings: LinkSettings): NetlinkRequest {
  const body = join([linkHeader(link, settings), ...nameOf(link), ...settingAttributes(settings)]);
  return command(`set link ${link}`, RTM_NEWLINK, 0, body);
}

/** Sets IPv4 settings of an interface, in the socket's namespace. */
export function setIpv4(link: LinkReference, settings: Ipv4Settings): NetlinkRequest {
  const values: Uint8Array[] = [];
  for (const [key, value] of Object.entries(settings)) {
    if (value !== undefined) values.push(u32Attribute(IPV4_SETTING[key as keyof Ipv4Settings], value));
  }
  const spec = nestedAttribute(
    IFLA_AF_SPEC,
    nestedAttribute(AF_INET, nestedAttribute(IFLA_INET_CONF, ...values)),
  );
  return command(
    `set IPv4 settings of ${link}`,
    RTM_NEWLINK,
    0,
    join([linkHeader(link, {}), ...nameOf(link), spec]),
  );
}

/** Keeps the kernel from giving the interface a link-local address of its own making. Set before it goes up. */
export function withoutLinkLocal(link: LinkReference): NetlinkRequest {
  const mode = nestedAttribute(AF_INET6, u8Attribute(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE));
  const body = join([linkHeader(link, {}), ...nameOf(link), nestedAttribute(IFLA_AF_SPEC, mode)]);
  return command(`set IPv6 address mode of ${link}`, RTM_NEWLINK, 0, body);
}

/** Deletes an interface (of a veth pair both ends). ENODEV where there is none. */
export function deleteLink(link: LinkReference): NetlinkRequest {
  return command(`delete link ${link}`, RTM_DELLINK, 0, join([linkHeader(link, {}), ...nameOf(link)]));
}

/** Asks for one interface; answered with one link message, or ENODEV. */
export function getLink(link: LinkReference): NetlinkRequest {
  return command(`get link ${link}`, RTM_GETLINK, 0, join([linkHeader(link, {}), ...nameOf(link)]));
}

/** Lists all interfaces of the namespace (RTM_GETLINK). */
export function dumpLinks(): NetlinkRequest {
  return dump('list links', RTM_GETLINK, linkHeader(0, {}));
}

/** Reads a link message; undefined where it is another message or malformed. */
export function parseLink(message: NetlinkMessage): Link | undefined {
  const { type, payload } = message;
  if (type !== RTM_NEWLINK || payload.length < HEADER_LENGTH) return undefined;
  const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
  if (!attributes.ok) return undefined;
  const name = attributeText(attributes.value, IFLA_IFNAME);
  if (name === undefined) return undefined;
  const flags = readU32LE(payload, 8);
  return {
    index: readU32LE(payload, 4),
    name,
    up: (flags & IFF_UP) !== 0,
    // IFF_RUNNING is set for an unknown state too, which a new veth has until the kernel's work on links has run.
    running: isOperUp(attributes.value.get(IFLA_OPERSTATE)?.[0]),
    loopback: (flags & IFF_LOOPBACK) !== 0,
    arp: (flags & IFF_NOARP) === 0,
    masterIndex: attributeU32(attributes.value, IFLA_MASTER),
    mtu: attributeU32(attributes.value, IFLA_MTU) ?? 0,
    txQueueLength: attributeU32(attributes.value, IFLA_TXQLEN) ?? 0,
    mac: attributes.value.get(IFLA_ADDRESS)?.slice() ?? new Uint8Array(0),
    alias: attributeText(attributes.value, IFLA_IFALIAS),
    kind: linkKind(attributes.value),
    peerIndex: attributeU32(attributes.value, IFLA_LINK),
    carrierLosses: attributeU32(attributes.value, IFLA_CARRIER_DOWN_COUNT) ?? 0,
    forwards4: forwardsIpv4(attributes.value),
  };
}

function isOperUp(state: number | undefined): boolean | undefined {
  return state === undefined ? undefined : state === IF_OPER_UP;
}

/** Of the array of IPv4 settings, whose numbers begin with 1. */
function forwardsIpv4(attributes: Attributes): boolean | undefined {
  const families = nested(attributes.get(IFLA_AF_SPEC));
  const settings = nested(families?.get(AF_INET))?.get(IFLA_INET_CONF);
  const at = 4 * (IPV4_SETTING.forwarding - 1);
  return settings && settings.length >= at + 4 ? readU32LE(settings, at) !== 0 : undefined;
}

function nested(value: Uint8Array | undefined): Attributes | undefined {
  const parsed = value && parseAttributes(value);
  return parsed?.ok ? parsed.value : undefined;
}

function linkKind(attributes: Attributes): string | undefined {
  const info = attributes.get(IFLA_LINKINFO);
  const parsed = info && parseAttributes(info);
  return parsed?.ok ? attributeText(parsed.value, IFLA_INFO_KIND) : undefined;
}

/**
 * ```
 *   0        1     2          4       8       12            16
 *   | family | pad | dev type | index | flags | change mask |
 * ```
 */
function linkHeader(link: LinkReference, settings: LinkSettings): Uint8Array {
  const out = new Uint8Array(HEADER_LENGTH);
  writeU32LE(out, 4, typeof link === 'number' ? link : 0);
  const { up, arp } = settings;
  writeU32LE(out, 8, (up ? IFF_UP : 0) | (arp === false ? IFF_NOARP : 0));
  writeU32LE(out, 12, (up === undefined ? 0 : IFF_UP) | (arp === undefined ? 0 : IFF_NOARP));
  return out;
}

function nameOf(link: LinkReference): Uint8Array[] {
  return typeof link === 'string' ? [textAttribute(IFLA_IFNAME, link)] : [];
}

function settingAttributes(settings: LinkSettings): Uint8Array[] {
  const out: Uint8Array[] = [];
  if (settings.name !== undefined) out.push(textAttribute(IFLA_IFNAME, settings.name));
  if (settings.mtu !== undefined) out.push(u32Attribute(IFLA_MTU, settings.mtu));
  if (settings.mac !== undefined) out.push(attribute(IFLA_ADDRESS, settings.mac));
  if (settings.master !== undefined) out.push(u32Attribute(IFLA_MASTER, settings.master));
  if (settings.txQueueLength !== undefined) out.push(u32Attribute(IFLA_TXQLEN, settings.txQueueLength));
  if (settings.alias !== undefined) out.push(textAttribute(IFLA_IFALIAS, settings.alias));
  if (settings.namespace !== undefined) {
    const { namespace } = settings;
    out.push(
      'fd' in namespace
        ? u32Attribute(IFLA_NET_NS_FD, namespace.fd)
        : u32Attribute(IFLA_NET_NS_PID, namespace.pid),
    );
  }
  return out;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

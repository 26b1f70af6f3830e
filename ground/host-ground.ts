import { ADDRESS_BITS, type Address, formatAddress, sameAddress } from '../base/address.ts';
import { formatRange, parseCidr, type Range, rangeCidrs, sameRange } from '../base/range.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import type { NetlinkRequest } from '../linux/netlink-request.ts';
import { addAddress, deleteAddress, type InterfaceAddress } from '../linux/rtnetlink/interface-address.ts';
import { type Ipv4Settings, type Link, setIpv4, setLink, withoutLinkLocal } from '../linux/rtnetlink/link.ts';
import {
  deleteRoute,
  type HostRoute,
  ROUTE_PROTOCOL_WEFT,
  ROUTE_TABLE_MAIN,
  type RouteSettings,
  replaceRoute,
} from '../linux/rtnetlink/route.ts';
import type { Repair, RepairKind, SysctlSetting } from './repair.ts';

/**
 * # The ground
 *
 * What Weft has written into the host: the TUN interface with its addresses, routes of the pod ranges, and kernel
 * settings. Network managers, firewalls, VPNs and administrators change all of it while weftd runs. So it is described
 * once, here, as a function of the settings; it is compared with what the kernel has at the start, whenever the kernel
 * tells of a change, and once a minute; and the difference is put right. A start, a take-over, a repair and a reset
 * are the same comparison.
 *
 * Order matters, and the order of {@link hostRepairs} is kept: blackholes stand before anything is routed, so a packet
 * for a pod is dropped at every moment at which the tunnel is not there; IPv6 is switched on before it is used.
 */

/** The part of the host's network that is the node's. */
export interface HostGround extends OwnLinks {
  /** The cluster's pod ranges: all of them go into the tunnel. */
  readonly ranges: readonly Range[];
  /** The node's own overlay addresses, one of each family it has one of; none before the ring has dealt them. */
  readonly addresses: readonly Address[];
  /** MTU of the TUN interface, bytes. */
  readonly mtu: number;
}

/** What the kernel has of it. */
export interface ObservedHost {
  /** The TUN interface. */
  readonly tun: Link | undefined;
  /** All addresses of the TUN interface. */
  readonly addresses: readonly InterfaceAddress[];
  /** Routes of both families. Those of other tables and of other programs are left alone. */
  readonly routes: readonly HostRoute[];
  /** Values of {@link settingsOfHost}; undefined for those that this kernel does not have. */
  readonly valueByPath: ReadonlyMap<string, string | undefined>;
  /** Names of interfaces by which a router that announces itself gave the default route of IPv6. */
  readonly announcedBy: readonly string[];
}

/** A kernel setting of the ground. */
interface HostSetting extends SysctlSetting {
  readonly kind: RepairKind;
  /** Sets it without /proc/sys, which may be read-only. */
  readonly request?: (link: number) => NetlinkRequest;
}

/** Packets the kernel keeps for us to read. More would hold more through a pause, and delay more under load. */
const TUN_QUEUE_PACKETS = 1000;
/** Pods' own routes are longer prefixes, so these only order the tunnel before the blackhole. */
const TUNNEL_METRIC = 50;
const BLACKHOLE_METRIC = 100_000;
/** /proc/sys/net/ipv6/conf/…/addr_gen_mode of an interface that gives itself no link-local address. */
const NO_LINK_LOCAL = '1';

const TUN_IPV4: readonly {
  readonly name: string;
  readonly value: number;
  readonly settings: Ipv4Settings;
}[] = [
  { name: 'forwarding', value: 1, settings: { forwarding: 1 } },
  { name: 'accept_redirects', value: 0, settings: { acceptRedirects: 0 } },
  { name: 'send_redirects', value: 0, settings: { sendRedirects: 0 } },
  { name: 'accept_source_route', value: 0, settings: { acceptSourceRoute: 0 } },
];

const IPV4_FORWARDING = 'net/ipv4/ip_forward';
/** Forwarding of IPv6 for the whole host; a kernel without IPv6 does not have it. */
export const IPV6_FORWARDING = 'net/ipv6/conf/all/forwarding';

/**
 * Kernel settings that must hold, in the order in which they are made. Forwarding is of the whole host; the others are
 * of the TUN interface, out of which nothing may configure the host.
 */
export function settingsOfHost({ tun, ranges }: HostGround): HostSetting[] {
  const settings: HostSetting[] = [];
  const has = (family: 4 | 6): boolean => ranges.some((range) => range.family === family);
  if (has(4)) settings.push({ kind: 'sysctl', path: IPV4_FORWARDING, value: '1' });
  if (has(6)) settings.push({ kind: 'sysctl', path: IPV6_FORWARDING, value: '1' });
  for (const { name, value, settings: changes } of TUN_IPV4) {
    const path = `net/ipv4/conf/${tun}/${name}`;
    settings.push({ kind: 'tun', path, value: String(value), request: (link) => setIpv4(link, changes) });
  }
  const own6 = `net/ipv6/conf/${tun}`;
  const request = (link: number): NetlinkRequest => withoutLinkLocal(link);
  settings.push({ kind: 'tun', path: `${own6}/addr_gen_mode`, value: NO_LINK_LOCAL, request });
  settings.push({ kind: 'tun', path: `${own6}/accept_ra`, value: '0' });
  settings.push({ kind: 'tun', path: `${own6}/accept_redirects`, value: '0' });
  if (has(6)) {
    settings.push({ kind: 'tun', path: `${own6}/disable_ipv6`, value: '0' });
    settings.push({ kind: 'tun', path: `${own6}/forwarding`, value: '1' });
  }
  return settings;
}

/** The routes that drop what is for pods while there is no tunnel. */
export function blackholesOf({ ranges }: Pick<HostGround, 'ranges'>): RouteSettings[] {
  return blocks(ranges).map((destination) => ({ destination, kind: 'blackhole', metric: BLACKHOLE_METRIC }));
}

/** What has to be done so that the host is as `ground` says, in order; nothing where it is. */
export function hostRepairs(observed: ObservedHost, ground: HostGround): Repair[] {
  const repairs = blackholesOf(ground)
    .filter((route) => !observed.routes.some((found) => isRoute(found, route)))
    .map((route) =>
      repairOf(
        'route',
        `the blackhole beneath ${formatRange(route.destination)} is missing`,
        replaceRoute(route),
      ),
    );
  repairs.push(...settingRepairs(observed, ground));
  const { tun } = observed;
  if (tun) repairs.push(...tunRepairs(tun, observed, ground));
  return repairs;
}

/**
 * What is ours of `observed` and does not belong to `ground`: of a start with other settings, or at a reset, which has no
 * ranges, all.
 */
export function staleRoutes(
  observed: Pick<ObservedHost, 'tun' | 'routes'>,
  ground: Pick<HostGround, 'ranges'>,
): RouteSettings[] {
  const wanted = blocks(ground.ranges);
  return observed.routes
    .filter((route) => isOurs(route) && (route.kind === 'blackhole' || route.link === observed.tun?.index))
    .filter((route) => {
      const metric = route.kind === 'blackhole' ? BLACKHOLE_METRIC : TUNNEL_METRIC;
      return route.metric !== metric || !wanted.some((block) => sameRange(block, route.destination));
    })
    .map(asSettings);
}

/** What names a route of ours for its deletion. */
function asSettings(route: HostRoute): RouteSettings {
  const kind = route.kind === 'blackhole' ? 'blackhole' : 'unicast';
  // An IPv6 blackhole is listed as on the loopback interface, but is not deleted by that.
  const link = kind === 'unicast' && route.link !== undefined ? { link: route.link } : {};
  return { destination: route.destination, kind, metric: route.metric, ...link };
}

// -- parts ----------------------------------------------------------------------------------------------------

function settingRepairs(observed: ObservedHost, ground: HostGround): Repair[] {
  const repairs: Repair[] = [];
  for (const { kind, path, value, request } of settingsOfHost(ground)) {
    const found = observed.valueByPath.get(path);
    if (found === value) continue;
    // A kernel without IPv6 has no such settings, which is seen at the start; nor has an interface that is gone.
    if (found === undefined && kind === 'tun') continue;
    const words = `the kernel setting ${sysctlName(path)} is ${found ?? 'missing'} and must be ${value}`;
    if (request && observed.tun) {
      repairs.push(repairOf(kind, words, request(observed.tun.index)));
      continue;
    }
    const before = path === IPV6_FORWARDING ? keptRouters(observed) : [];
    repairs.push({ kind, found: words, requests: [], sysctls: [...before, { path, value }] });
  }
  return repairs;
}

/**
 * A host that forwards IPv6 no longer takes its default route from router advertisements (accept_ra 1), so interfaces
 * that live by them are told to go on (2) first.
 */
function keptRouters({ announcedBy, valueByPath }: ObservedHost): SysctlSetting[] {
  return announcedBy
    .map((name) => acceptRa(name))
    .filter((path) => valueByPath.get(path) === '1')
    .map((path) => ({ path, value: '2' }));
}

/** The setting that says whether an interface takes routes from router advertisements. */
export function acceptRa(name: string): string {
  return `net/ipv6/conf/${name}/accept_ra`;
}

function tunRepairs(tun: Link, observed: ObservedHost, ground: HostGround): Repair[] {
  const { name, index } = tun;
  const repairs: Repair[] = [];
  const link = (found: string, ...requests: NetlinkRequest[]): void => {
    repairs.push(repairOf('tun', `${name} ${found}`, ...requests));
  };
  // Not all kernels rename what is up, and all else goes by its name.
  if (name !== ground.tun) {
    const requests = [setLink(index, { up: false }), setLink(index, { name: ground.tun, up: true })];
    return [repairOf('tun', `${ground.tun} was called ${name}`, ...requests)];
  }
  if (tun.masterIndex !== undefined) link('is a port of another interface', setLink(index, { master: 0 }));
  if (tun.mtu !== ground.mtu) link(`has MTU ${tun.mtu}`, setLink(index, { mtu: ground.mtu }));
  if (tun.txQueueLength !== TUN_QUEUE_PACKETS)
    link(`has a queue of ${tun.txQueueLength} packets`, setLink(index, { txQueueLength: TUN_QUEUE_PACKETS }));
  if (!tun.up) link('is down', setLink(index, { up: true }));

  for (const entry of observed.addresses) {
    const wanted = ground.addresses.some((address) => isEntry(entry, address));
    if (wanted) continue;
    const text = `${formatAddress(entry.address)}/${entry.prefix}`;
    const request = deleteAddress(index, entry.address, entry.prefix);
    repairs.push(repairOf('address', `${name} has the address ${text}, which is not the node's`, request));
  }
  for (const address of ground.addresses) {
    if (observed.addresses.some((entry) => isEntry(entry, address))) continue;
    const request = addAddress(index, address, ADDRESS_BITS[address.family], { replace: true });
    repairs.push(repairOf('address', `${name} lacks the address ${formatAddress(address)}`, request));
  }
  for (const destination of blocks(ground.ranges)) {
    const source = ground.addresses.find((address) => address.family === destination.family);
    const preferred = source ? { preferredSource: source } : {};
    const route: RouteSettings = { destination, link: index, metric: TUNNEL_METRIC, ...preferred };
    if (observed.routes.some((found) => isRoute(found, route))) continue;
    const words = `the route ${formatRange(destination)} into ${name} is missing`;
    repairs.push(repairOf('route', words, replaceRoute(route)));
  }
  for (const route of staleRoutes(observed, ground)) {
    const words = `the route ${formatRange(route.destination)} is left of other settings`;
    repairs.push(repairOf('route', words, deleteRoute(route)));
  }
  return repairs;
}

function isEntry(entry: InterfaceAddress, address: Address): boolean {
  return entry.prefix === ADDRESS_BITS[address.family] && sameAddress(entry.address, address);
}

function isOurs(route: HostRoute): boolean {
  return route.protocol === ROUTE_PROTOCOL_WEFT && route.table === ROUTE_TABLE_MAIN;
}

function isRoute(found: HostRoute, wanted: RouteSettings): boolean {
  const kind = wanted.kind ?? 'unicast';
  return (
    isOurs(found) &&
    found.kind === kind &&
    sameRange(found.destination, wanted.destination) &&
    found.metric === wanted.metric &&
    (kind === 'blackhole' || found.link === wanted.link) &&
    (kind === 'blackhole' || sameSource(found.preferredSource, wanted.preferredSource))
  );
}

function sameSource(a: Address | undefined, b: Address | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameAddress(a, b);
}

function repairOf(kind: RepairKind, found: string, ...requests: NetlinkRequest[]): Repair {
  return { kind, found, requests, sysctls: [] };
}

/** The ranges as CIDR blocks, which is what a route goes to. */
function blocks(ranges: readonly Range[]): Range[] {
  return ranges.flatMap((range) => rangeCidrs(range).map((cidr) => parseCidr(cidr)!));
}

/** `net.ipv4.ip_forward`, as sysctl(8) takes it: a dot in an interface's name becomes a slash. */
function sysctlName(path: string): string {
  return path.replaceAll('.', '\0').replaceAll('/', '.').replaceAll('\0', '/');
}

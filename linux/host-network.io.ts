import type { Address, Family } from '../base/address.ts';
import { ADDRESS_BITS, sameAddress } from '../base/address.ts';
import { formatRange, parseCidr, type Range, rangeCidrs, sameRange } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { findOverlap, type HostSurvey, type OwnLinks } from './host-survey.ts';
import { addAddress, deleteAddress } from './interface-address.ts';
import { deleteLink, type Link, setIpv4, setLink, withoutLinkLocal } from './link.ts';
import { isNetlinkError, type NetlinkRequest } from './netlink-request.ts';
import { removeRules } from './nftables.io.ts';
import {
  deleteRoute,
  type HostRoute,
  ROUTE_PROTOCOL_WEFT,
  ROUTE_TABLE_MAIN,
  type RouteSettings,
  replaceRoute,
} from './route.ts';
import type { RouteClient } from './route-client.io.ts';
import type { Sysctl } from './sysctl.io.ts';

/** The part of the host's network that is the node's. */
export interface HostNetworkSettings extends OwnLinks {
  /** The cluster's pod ranges: all of them go into the tunnel. */
  readonly ranges: readonly Range[];
  /** The node's own overlay addresses, one of each family it has one of; none before the ring has dealt them. */
  readonly addresses: readonly Address[];
  /** MTU of the TUN interface, bytes. */
  readonly mtu: number;
  readonly sysctl: Sysctl;
}

/** Packets the kernel keeps for us to read. More would hold more through a pause, and delay more under load. */
const TUN_QUEUE_PACKETS = 1000;
/** Pods' own routes are longer prefixes, so these only order the tunnel before the blackhole. */
const TUNNEL_METRIC = 50;
const BLACKHOLE_METRIC = 100_000;
const RTPROT_RA = 9;
/** Least MTU that IPv6 allows (RFC 8200 §5), taken where the kernel names none. */
const LEAST_MTU = 1280;

/** Everything `findOverlap` and `advertisableAddresses` look at. */
export async function surveyHost(client: RouteClient): Promise<HostSurvey> {
  const links = await client.links();
  const addresses = await client.addresses();
  const routes = [...(await client.routes(4)), ...(await client.routes(6))];
  return { links, addresses, routes };
}

/** @throws WeftError E_RANGE_OVERLAP where the host uses a part of `ranges` for something that is not weft's. */
export async function refuseOverlap(
  client: RouteClient,
  ranges: readonly Range[],
  own: OwnLinks,
): Promise<void> {
  const overlap = findOverlap(await surveyHost(client), ranges, own);
  if (!overlap) return;
  const option = overlap.range.family === 4 ? '--ipalloc-range' : '--ipalloc-range6';
  const message = `the pod range ${formatRange(overlap.range)} overlaps the host's ${overlap.use}`;
  throw new WeftError('E_RANGE_OVERLAP', message, `choose another range with ${option}`);
}

/**
 * MTU in bytes of the way to `address`: that of the route where an administrator set one, else that of its
 * interface. What ICMP taught the kernel is left aside: anybody can forge that. Undefined where there is no route.
 */
export async function underlayMtu(client: RouteClient, address: Address): Promise<number | undefined> {
  const route = await client.routeTo(address);
  if (route?.link === undefined) return undefined;
  const entry = await client.routeTo(address, { entry: true });
  const link = await client.link(route.link);
  return Math.max(LEAST_MTU, Math.min(entry?.mtu || Infinity, link?.mtu ?? LEAST_MTU));
}

/**
 * Brings the host's network to `settings`, whatever it was before: after a first start, a restart, a kill in the
 * midst, or with other settings. Repeating it changes nothing. The TUN interface must exist (`openTun`).
 *
 * The order keeps traffic from leaking: the blackhole stands before anything is routed, so a packet for a pod is
 * dropped at every moment at which the tunnel is not there, and never follows the default route.
 * @throws WeftError E_SYSCTL, E_NO_IPV6, E_NETLINK; NetlinkError.
 */
export async function configureHostNetwork(
  client: RouteClient,
  settings: HostNetworkSettings,
): Promise<void> {
  const { ranges, tun, mtu, sysctl } = settings;
  await client.execute(...blocks(ranges).map((destination) => replaceRoute(blackhole(destination))));
  await enableForwarding(client, sysctl, ranges);
  const link = await client.link(tun);
  if (!link) throw new WeftError('E_TUN', `interface ${tun} is gone`, 'restart weftd');
  secureTun(sysctl, tun, ranges);
  await client.execute(
    withoutLinkLocal(link.index),
    setIpv4(link.index, { acceptRedirects: 0, sendRedirects: 0, acceptSourceRoute: 0 }),
    setLink(link.index, { mtu, txQueueLength: TUN_QUEUE_PACKETS, up: true }),
  );
  await reconcileAddresses(client, link, settings.addresses);
  await reconcileRoutes(client, link, settings);
}

/**
 * Takes away all that weft made: routes, blackholes, the TUN interface, packet rules, and the host ends of pods whose
 * names `pods` knows. Kernel settings stay, others may rely on them. Succeeds where there is nothing. Resolves with the
 * names of the interfaces that went.
 */
export async function removeHostNetwork(
  client: RouteClient,
  own: OwnLinks,
  options: { readonly pods: (name: string) => boolean },
): Promise<string[]> {
  const gone = ['ENODEV', 'ESRCH'];
  const links = await client.links();
  const podLinks = links.filter((link) => link.name.startsWith(own.podPrefix) && link.kind === 'veth');
  const doomed = [...links.filter((link) => link.name === own.tun && link.kind === 'tun')];
  doomed.push(...podLinks.filter(({ name }) => options.pods(name)));
  for (const link of doomed) await tolerate(client, deleteLink(link.index), ...gone);
  for (const family of [4, 6] as const) {
    for (const route of await ownRoutes(client, family)) {
      if (!podLinks.some((link) => link.index === route.link))
        await tolerate(client, deleteRoute(asSettings(route)), ...gone);
    }
  }
  await removeRules();
  return doomed.map(({ name }) => name);
}

// -- parts ----------------------------------------------------------------------------------------------------

/**
 * Turns forwarding on for the families that have a range. A host that forwards IPv6 no longer takes its default
 * route from router advertisements (accept_ra 1), so interfaces that live by them are told to go on (2) first.
 */
async function enableForwarding(
  client: RouteClient,
  sysctl: Sysctl,
  ranges: readonly Range[],
): Promise<void> {
  if (ranges.some((range) => range.family === 4)) sysctl.ensure('net/ipv4/ip_forward', '1');
  if (!ranges.some((range) => range.family === 6)) return;
  const forwarding = sysctl.read('net/ipv6/conf/all/forwarding');
  if (forwarding === undefined) {
    const remedy = 'boot without ipv6.disable=1, or give no IPv6 range';
    throw new WeftError('E_NO_IPV6', 'an IPv6 pod range is set, but this kernel has no IPv6', remedy);
  }
  if (forwarding === '1') return;
  for (const route of await client.routes(6, ROUTE_TABLE_MAIN)) {
    if (route.protocol !== RTPROT_RA || route.link === undefined) continue;
    const link = await client.link(route.link);
    const setting = link && `net/ipv6/conf/${link.name}/accept_ra`;
    if (setting && sysctl.read(setting) === '1') sysctl.ensure(setting, '2');
  }
  sysctl.ensure('net/ipv6/conf/all/forwarding', '1');
}

/** Nothing that comes out of the tunnel may configure the host. */
function secureTun(sysctl: Sysctl, tun: string, ranges: readonly Range[]): void {
  const path = `net/ipv6/conf/${tun}`;
  if (sysctl.read(`${path}/accept_ra`) === undefined) return; // no IPv6 in this kernel
  sysctl.ensure(`${path}/accept_ra`, '0');
  sysctl.ensure(`${path}/accept_redirects`, '0');
  if (ranges.some((range) => range.family === 6)) sysctl.ensure(`${path}/disable_ipv6`, '0');
}

async function reconcileAddresses(
  client: RouteClient,
  link: Link,
  wanted: readonly Address[],
): Promise<void> {
  const found = await client.addresses(link.index);
  const isWanted = (entry: { address: Address; prefix: number }): boolean =>
    entry.prefix === ADDRESS_BITS[entry.address.family] &&
    wanted.some((address) => sameAddress(address, entry.address));
  for (const entry of found) {
    if (isWanted(entry)) continue;
    await tolerate(client, deleteAddress(link.index, entry.address, entry.prefix), 'EADDRNOTAVAIL');
  }
  const missing = wanted.filter(
    (address) => !found.some((entry) => isWanted(entry) && sameAddress(entry.address, address)),
  );
  await client.execute(
    ...missing.map((address) =>
      addAddress(link.index, address, ADDRESS_BITS[address.family], { replace: true }),
    ),
  );
}

async function reconcileRoutes(
  client: RouteClient,
  link: Link,
  settings: HostNetworkSettings,
): Promise<void> {
  const wanted = blocks(settings.ranges);
  const routes = wanted.map((destination): RouteSettings => {
    const source = settings.addresses.find((address) => address.family === destination.family);
    const preferred = source ? { preferredSource: source } : {};
    return { destination, link: link.index, metric: TUNNEL_METRIC, ...preferred };
  });
  await client.execute(...routes.map(replaceRoute));
  for (const family of [4, 6] as const) {
    for (const route of await ownRoutes(client, family)) {
      const expectedMetric = route.kind === 'blackhole' ? BLACKHOLE_METRIC : TUNNEL_METRIC;
      const ours = route.kind === 'blackhole' || route.link === link.index;
      const right =
        route.metric === expectedMetric && wanted.some((block) => sameRange(block, route.destination));
      if (ours && !right) await tolerate(client, deleteRoute(asSettings(route)), 'ESRCH');
    }
  }
}

/** Our routes in the main table: of the ranges, and of pods. */
async function ownRoutes(client: RouteClient, family: Family): Promise<HostRoute[]> {
  const routes = await client.routes(family, ROUTE_TABLE_MAIN);
  return routes.filter((route) => route.protocol === ROUTE_PROTOCOL_WEFT);
}

function asSettings(route: HostRoute): RouteSettings {
  const kind = route.kind === 'blackhole' ? 'blackhole' : 'unicast';
  // An IPv6 blackhole is listed as on the loopback interface, but is not deleted by that.
  const link = kind === 'unicast' && route.link !== undefined ? { link: route.link } : {};
  return { destination: route.destination, kind, metric: route.metric, ...link };
}

function blackhole(destination: Range): RouteSettings {
  return { destination, kind: 'blackhole', metric: BLACKHOLE_METRIC };
}

/** The ranges as CIDR blocks, which is what a route goes to. */
function blocks(ranges: readonly Range[]): Range[] {
  return ranges.flatMap((range) => rangeCidrs(range).map((cidr) => parseCidr(cidr)!));
}

async function tolerate(
  client: RouteClient,
  request: NetlinkRequest,
  ...codes: readonly string[]
): Promise<void> {
  try {
    await client.execute(request);
  } catch (error) {
    if (!isNetlinkError(error, ...codes)) throw error;
  }
}

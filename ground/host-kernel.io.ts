import { WeftError } from '../base/weft-error.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { isNetlinkError, type NetlinkRequest } from '../linux/netlink-request.ts';
import { applyRules, removeRules } from '../linux/nftables.io.ts';
import type { PacketRules } from '../linux/nftables.ts';
import { deleteLink, type Link } from '../linux/rtnetlink/link.ts';
import { deleteRoute, type HostRoute, ROUTE_TABLE_MAIN, replaceRoute } from '../linux/rtnetlink/route.ts';
import type { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import type { Sysctl } from '../linux/sysctl.io.ts';
import {
  acceptRa,
  blackholesOf,
  type HostGround,
  hostRepairs,
  IPV6_FORWARDING,
  type ObservedHost,
  settingsOfHost,
  staleRoutes,
} from './host-ground.ts';
import type { Repair } from './repair.ts';

const RTPROT_RA = 9;
/** What is repaired may need another repair: an interface that comes up loses and gets routes. */
const MAX_ROUNDS = 4;
/** It is gone already: somebody else deleted it, or it went along with something else. */
const GONE = ['ENODEV', 'ESRCH', 'EADDRNOTAVAIL'];

/** Where the ground lies. */
export interface HostKernel {
  readonly client: RouteClient;
  readonly sysctl: Sysctl;
}

/** What the kernel has now. The TUN interface is the one of that name, or else of index `known`. */
async function observeHost(
  { client, sysctl }: HostKernel,
  ground: HostGround,
  known: number | undefined,
): Promise<ObservedHost> {
  const tun = (await client.link(ground.tun)) ?? (await tunOf(client, known));
  const routes = await mainRoutes(client);
  const announcedBy: string[] = [];
  const valueByPath = new Map<string, string | undefined>();
  for (const { path } of settingsOfHost(ground)) valueByPath.set(path, sysctl.read(path));
  if (valueByPath.get(IPV6_FORWARDING) === '0') {
    for (const { protocol, link } of routes) {
      const name = protocol === RTPROT_RA && link !== undefined ? (await client.link(link))?.name : undefined;
      if (name === undefined || announcedBy.includes(name)) continue;
      announcedBy.push(name);
      valueByPath.set(acceptRa(name), sysctl.read(acceptRa(name)));
    }
  }
  return { tun, addresses: tun ? await client.addresses(tun.index) : [], routes, valueByPath, announcedBy };
}

/**
 * Brings the host to `ground`, whatever it was before: after a first start, a restart, a kill at any moment, with other
 * settings, or after somebody changed it. Resolves with what was not right; repeating it finds nothing. The TUN
 * interface must exist (`openTun`); `tunIndex` finds it where somebody gave it another name.
 *
 * @throws WeftError E_SYSCTL, E_NO_IPV6, E_TUN, E_NETLINK; NetlinkError. What comes before it in order is done then.
 */
export async function repairHost(
  kernel: HostKernel,
  ground: HostGround,
  tunIndex?: number,
): Promise<Repair[]> {
  const found = new Map<string, Repair>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const observed = await observeHost(kernel, ground, tunIndex);
    const repairs = hostRepairs(observed, ground);
    for (const repair of repairs) {
      await carryOut(kernel, repair, observed);
      if (!found.has(repair.found)) found.set(repair.found, repair);
    }
    if (!observed.tun) throw new WeftError('E_TUN', `interface ${ground.tun} is gone`, 'restart weftd');
    if (repairs.length === 0) break;
  }
  return [...found.values()];
}

/**
 * What keeps packets for pods from leaving in clear while no weftd has run yet: the packet rules, and the blackholes
 * beneath the pod ranges. Rejects as {@link applyRules} does.
 */
export async function guardRanges(client: RouteClient, rules: PacketRules): Promise<void> {
  await applyRules(rules);
  await client.execute(...blackholesOf(rules).map(replaceRoute));
}

/**
 * Brings the host to a ground of no ranges: takes away routes, blackholes, the TUN interface, packet rules, and the host
 * ends of pods whose names `pods` knows. Kernel settings stay, others may rely on them. Succeeds where there is nothing. Resolves with the
 * names of the interfaces that went.
 */
export async function removeGround(
  client: RouteClient,
  own: OwnLinks,
  options: { readonly pods: (name: string) => boolean },
): Promise<string[]> {
  const links = await client.links();
  const tun = links.find((link) => link.name === own.tun && link.kind === 'tun');
  const pods = links.filter(
    ({ name, kind }) => kind === 'veth' && name.startsWith(own.podPrefix) && options.pods(name),
  );
  const routes = await mainRoutes(client);
  for (const route of staleRoutes({ tun, routes }, { ranges: [] }))
    await tolerate(client, deleteRoute(route));
  const doomed = tun === undefined ? pods : [tun, ...pods];
  for (const link of doomed) await tolerate(client, deleteLink(link.index));
  // Last, so that nothing for a pod leaves in clear while the routes go.
  await removeRules();
  return doomed.map(({ name }) => name);
}

// -- parts ----------------------------------------------------------------------------------------------------

async function tunOf(client: RouteClient, index: number | undefined): Promise<Link | undefined> {
  const link = index === undefined ? undefined : await client.link(index);
  return link?.kind === 'tun' ? link : undefined;
}

async function mainRoutes(client: RouteClient): Promise<HostRoute[]> {
  return [...(await client.routes(4, ROUTE_TABLE_MAIN)), ...(await client.routes(6, ROUTE_TABLE_MAIN))];
}

async function carryOut(
  { client, sysctl }: HostKernel,
  repair: Repair,
  observed: ObservedHost,
): Promise<void> {
  for (const { path, value } of repair.sysctls) {
    if (path === IPV6_FORWARDING && observed.valueByPath.get(path) === undefined) {
      const remedy = 'boot without ipv6.disable=1, or give no IPv6 range';
      throw new WeftError('E_NO_IPV6', 'an IPv6 pod range is set, but this kernel has no IPv6', remedy);
    }
    sysctl.ensure(path, value);
  }
  for (const request of repair.requests) await tolerate(client, request);
}

async function tolerate(client: RouteClient, request: NetlinkRequest): Promise<void> {
  try {
    await client.execute(request);
  } catch (error) {
    if (!isNetlinkError(error, ...GONE)) throw error;
  }
}

import { type Address, compareAddresses } from '../base/address.ts';
import {
  formatRange,
  intersectRanges,
  parseCidr,
  type Range,
  rangeContains,
  rangeSize,
} from '../base/range.ts';
import type { InterfaceAddress } from './rtnetlink/interface-address.ts';
import type { Link } from './rtnetlink/link.ts';
import { block, type HostRoute, ROUTE_PROTOCOL_WEFT, ROUTE_TABLE_MAIN } from './rtnetlink/route.ts';

/** The host's network as it is: what `surveyHost` read in one go. */
export interface HostSurvey {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly HostRoute[];
}

/** Which interfaces are weft's own. */
export interface OwnLinks {
  /** The TUN interface, `weft0`. */
  readonly tun: string;
  /** What the names of the pods' host ends begin with, `wv`. */
  readonly podPrefix: string;
}

/** A range of ours that something on the host uses already. */
export interface Overlap {
  readonly range: Range;
  /** The host's own use, for people: `route 10.33.0.0/16 on eth0`, `address 10.32.0.7 of eth0`. */
  readonly use: string;
}

/**
 * Addresses at which peers may find us, at most. Far more than a record holds, which begins with those that are seen to
 * work: on a host with many container bridges the one that works sorts behind all of theirs.
 */
export const MAX_ADVERTISED_ADDRESSES = 256;

/**
 * A route of fewer bits than this is one of those that stand for a default route: VPNs set 0.0.0.0/1 and 128.0.0.0/1, or
 * a list of blocks that leaves out their own server.
 */
const WIDE_BITS = 8n;

/** 169.254.0.0/16 says nothing to another host, whatever scope it was given. */
const IPV4_LINK_LOCAL = parseCidr('169.254.0.0/16')!;

/**
 * The first overlap of `ranges` with what the host uses: its addresses, and its routes except default routes and the
 * wide ones that stand for one. What is weft's own (from before a restart) is no overlap.
 */
export function findOverlap(
  survey: HostSurvey,
  ranges: readonly Range[],
  own: OwnLinks,
): Overlap | undefined {
  const linkByIndex = new Map(survey.links.map((link) => [link.index, link]));
  const foreign = (index: number | undefined): boolean => !isOwnLink(linkByIndex.get(index ?? 0), own);
  const nameOf = (index: number): string => linkByIndex.get(index)?.name ?? String(index);
  const uses: { block: Range; use: string }[] = [];
  for (const { address, prefix, link } of survey.addresses) {
    const subnet = block(address, prefix);
    if (subnet && foreign(link)) {
      uses.push({ block: subnet, use: `address ${formatRange(subnet)} of ${nameOf(link)}` });
    }
  }
  for (const { destination, kind, protocol, link } of survey.routes) {
    // Multicast and broadcast entries are the kernel's own; local ones are the addresses seen above.
    if (isWide(destination) || kind === 'other' || kind === 'local') continue;
    if (protocol === ROUTE_PROTOCOL_WEFT || !foreign(link)) continue;
    const where = link === undefined ? '' : ` on ${nameOf(link)}`;
    uses.push({ block: destination, use: `route ${formatRange(destination)}${where}` });
  }
  for (const range of ranges) {
    for (const { block: used, use } of uses) if (intersectRanges(range, used)) return { range, use };
  }
  return undefined;
}

/**
 * The host's addresses at which peers may find it: global, past duplicate address detection, on an interface that
 * is up, not a privacy address, not in the pod ranges. IPv4 first; at most {@link MAX_ADVERTISED_ADDRESSES}.
 */
export function advertisableAddresses(
  survey: HostSurvey,
  ranges: readonly Range[],
  own: OwnLinks,
): Address[] {
  const linkByIndex = new Map(survey.links.map((link) => [link.index, link]));
  return survey.addresses
    .filter((entry) => entry.scope === 'global' && entry.usable && !entry.temporary)
    .filter((entry) => {
      const link = linkByIndex.get(entry.link);
      return link?.up === true && !isOwnLink(link, own);
    })
    .map((entry) => entry.address)
    .filter((address) => !rangeContains(IPV4_LINK_LOCAL, address))
    .filter((address) => !ranges.some((range) => rangeContains(range, address)))
    .sort(compareAddresses)
    .slice(0, MAX_ADVERTISED_ADDRESSES);
}

/**
 * MTU in bytes of the host's way into the world: of its default routes, each by its own metric where an administrator
 * set one, else by its interface; the least of both families. Undefined where there is no default route.
 */
export function defaultMtu(survey: HostSurvey, own: OwnLinks): number | undefined {
  const linkByIndex = new Map(survey.links.map((link) => [link.index, link]));
  const mtus = ([4, 6] as const).flatMap((family) => {
    const [best] = survey.routes
      .filter(({ destination, kind, table }) => {
        const whole = rangeSize(destination) === 1n << (family === 4 ? 32n : 128n);
        return destination.family === family && whole && kind === 'unicast' && table === ROUTE_TABLE_MAIN;
      })
      .sort((a, b) => a.metric - b.metric);
    const link = best?.link === undefined ? undefined : linkByIndex.get(best.link);
    return link === undefined || isOwnLink(link, own) ? [] : [Math.min(best!.mtu || link.mtu, link.mtu)];
  });
  return mtus.length === 0 ? undefined : Math.min(...mtus);
}

/** Whether a link is Weft's own. A name alone does not say so: another program's VPN may be called like a pod's end. */
export function isOwnLink(link: Pick<Link, 'name' | 'kind'> | undefined, own: OwnLinks): boolean {
  if (link === undefined) return false;
  return link.name === own.tun || isPodEnd(link, own);
}

/** Whether it is a pod's end on the host. */
export function isPodEnd(
  { name, kind }: Pick<Link, 'name' | 'kind'>,
  own: Pick<OwnLinks, 'podPrefix'>,
): boolean {
  return kind === 'veth' && name.startsWith(own.podPrefix);
}

/** A default route, or a part of one. The pod range is more specific, so its packets never take such a route. */
function isWide(destination: Range): boolean {
  const bits = destination.family === 4 ? 32n : 128n;
  return rangeSize(destination) > 1n << (bits - WIDE_BITS);
}

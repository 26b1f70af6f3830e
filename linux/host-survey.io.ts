import type { Address } from '../base/address.ts';
import { formatRange, type Range } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { findOverlap, type HostSurvey, type OwnLinks } from './host-survey.ts';
import type { RouteClient } from './rtnetlink/route-client.io.ts';

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

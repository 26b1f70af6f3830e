import { type Address, parseAddress, sameAddress } from '../base/address.ts';
import { type Endpoint, endpoint } from '../base/endpoint.ts';
import type { Range } from '../base/range.ts';
import { surveyHost, underlayMtu } from '../linux/host-survey.io.ts';
import { advertisableAddresses, defaultMtu, type OwnLinks } from '../linux/host-survey.ts';
import type { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { OVERLAY_OVERHEAD } from '../router/packet/data-packet.ts';
import { IPV6_MINIMUM_MTU } from '../router/packet/ip-packet.ts';
import type { Config } from './settings/config.ts';

/** Taken where the host has no address yet: an Ethernet's. */
const DEFAULT_UNDERLAY_MTU = 1500;

/** How this node stands in the network that carries its tunnels. */
export interface Underlay {
  /** Where to tell peers that we are. */
  readonly endpoints: readonly Endpoint[];
  /** Bytes: of the ways that lead to peers; and the largest packet of the overlay. */
  readonly mtu: number;
  readonly overlayMtu: number;
}

/**
 * Looks at the host's interfaces. The addresses are those listened on, or given by --advertise. The MTU is that of the
 * ways to the peers of the settings; where they are names or none, of the default route; and only where there is none
 * the least of the interfaces with those addresses, since a container bridge may have any.
 */
export async function readUnderlay(
  client: RouteClient,
  config: Pick<Config, 'advertise' | 'listen' | 'mtu' | 'peers' | 'port'>,
  ranges: readonly Range[],
  own: OwnLinks,
): Promise<Underlay> {
  const survey = await surveyHost(client);
  const addresses = advertisableAddresses(survey, ranges, own).filter(
    (address) => config.listen.length === 0 || config.listen.some((one) => sameAddress(one, address)),
  );
  const mtu =
    least(await Promise.all(peerAddresses(config.peers).map((peer) => underlayMtu(client, peer)))) ??
    defaultMtu(survey, own) ??
    least(addresses.map((address) => linkMtu(survey, address))) ??
    DEFAULT_UNDERLAY_MTU;
  const endpoints = addresses.map((address) => endpoint(address, config.port));
  return {
    endpoints: config.advertise.length > 0 ? config.advertise : endpoints,
    mtu,
    // IPv6 needs 1280 whatever lies beneath; where that is too much for a path, the path MTU probes say so.
    overlayMtu: config.mtu ?? Math.max(mtu - OVERLAY_OVERHEAD, IPV6_MINIMUM_MTU),
  };
}

function peerAddresses(peers: Config['peers']): Address[] {
  return peers.map(({ host }) => parseAddress(host)).filter((address) => address !== undefined);
}

function least(mtus: readonly (number | undefined)[]): number | undefined {
  const known = mtus.filter((mtu) => mtu !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function linkMtu(survey: Awaited<ReturnType<typeof surveyHost>>, address: Address): number | undefined {
  const entry = survey.addresses.find((candidate) => sameAddress(candidate.address, address));
  return survey.links.find((link) => link.index === entry?.link)?.mtu;
}

import { ADDRESS_BITS, formatAddress, sameAddress } from '../../base/address.ts';
import { equalBytes } from '../../base/bytes.ts';
import { sameRange } from '../../base/range.ts';
import type { NetlinkRequest } from '../../linux/netlink-request.ts';
import { addAddress, type InterfaceAddress } from '../../linux/rtnetlink/interface-address.ts';
import { type Link, setLink } from '../../linux/rtnetlink/link.ts';
import { type Neighbour, setNeighbour } from '../../linux/rtnetlink/neighbour.ts';
import { addRoute, type HostRoute } from '../../linux/rtnetlink/route.ts';
import { type Attachment, GATEWAY } from '../attachment.ts';
import { DEFAULT_ROUTE } from './attach-requests.ts';

/**
 * # The pod's end
 *
 * What an ADD makes inside a pod: the interface, up, with its hardware address and MTU, the addresses, the neighbours of the
 * gateways, the default routes. A pod that may (CAP_NET_ADMIN), or something that works in it, can undo it; an interface
 * that is set down and up has lost its routes, its neighbours and its IPv6 addresses.
 */

/** What the kernel has of it. */
export interface ObservedPodEnd {
  /** The interface by the index that it was made with; undefined where it is gone. */
  readonly link: Link | undefined;
  /** Of that interface. */
  readonly addresses: readonly InterfaceAddress[];
  /** Of both families, main table. */
  readonly routes: readonly HostRoute[];
  /** Of all interfaces. */
  readonly neighbours: readonly Neighbour[];
}

/** One thing that an ADD makes. */
interface PodEndPart {
  /** `up`, `mtu`, `mac`, `address 10.32.0.7`, `neighbour 169.254.1.1`, `route 4`. */
  readonly part: string;
  /** What is wrong where it is not as it was made, in words for people, without saying of which pod. */
  readonly fault: string;
  /**
   * Makes it so. What can be listed without end in a pod (addresses, routes) is refused with EEXIST where it is there, or
   * where another one is in its place, so that nothing need be listed.
   */
  readonly request: NetlinkRequest;
  readonly isThere: (observed: ObservedPodEnd) => boolean;
}

/** What of the pod's end is not as `attachment` says, by what was observed. */
export function podEndFaults(observed: ObservedPodEnd, attachment: Attachment): PodEndPart[] {
  const { link } = observed;
  if (!link) return [];
  return [...linkParts(link, attachment), ...networkParts(link, attachment)].filter(
    ({ isThere }) => !isThere(observed),
  );
}

/** What of the interface itself is not as `attachment` says, in the order in which it is to be put right. */
export function linkFaults(link: Link, attachment: Attachment): PodEndPart[] {
  const observed = { link, addresses: [], routes: [], neighbours: [] };
  return linkParts(link, attachment).filter(({ isThere }) => !isThere(observed));
}

function linkParts({ index, name }: Link, { mtu, podMac }: Attachment): PodEndPart[] {
  return [
    {
      part: 'mac',
      fault: `interface ${name} in the pod has another hardware address`,
      request: setLink(index, { mac: podMac }),
      isThere: ({ link }) => link !== undefined && equalBytes(link.mac, podMac),
    },
    {
      part: 'mtu',
      fault: `interface ${name} in the pod has another MTU than ${mtu}`,
      request: setLink(index, { mtu }),
      isThere: ({ link }) => link?.mtu === mtu,
    },
    {
      part: 'up',
      fault: `interface ${name} in the pod is down`,
      request: setLink(index, { up: true }),
      isThere: ({ link }) => link?.up === true,
    },
  ];
}

/** Addresses, neighbours and routes that an ADD gives to `link`, in the order in which they are to be put right. */
export function networkParts({ index }: Link, { addresses: own, hostMac }: Attachment): PodEndPart[] {
  const addresses = own.map((address): PodEndPart => {
    const prefix = ADDRESS_BITS[address.family];
    const text = formatAddress(address);
    return {
      part: `address ${text}`,
      fault: `address ${text} in the pod is missing`,
      request: addAddress(index, address, prefix),
      isThere: (observed) =>
        observed.addresses.some((entry) => entry.prefix === prefix && sameAddress(entry.address, address)),
    };
  });
  const neighbours = own.map(({ family }): PodEndPart => {
    const gateway = GATEWAY[family];
    const text = formatAddress(gateway);
    return {
      part: `neighbour ${text}`,
      fault: `neighbour ${text} in the pod is missing`,
      request: setNeighbour(index, gateway, hostMac),
      isThere: (observed) =>
        observed.neighbours.some(
          ({ link, permanent, address, mac }) =>
            link === index && permanent && sameAddress(address, gateway) && mac && equalBytes(mac, hostMac),
        ),
    };
  });
  const routes = own.map(({ family }): PodEndPart => {
    const destination = DEFAULT_ROUTE[family];
    const gateway = GATEWAY[family];
    return {
      part: `route ${family}`,
      fault: `default route of IPv${family} in the pod is missing`,
      request: addRoute({ destination, link: index, gateway, onLink: true }),
      isThere: (observed) =>
        observed.routes.some(
          (route) =>
            sameRange(route.destination, destination) &&
            route.link === index &&
            route.gateway !== undefined &&
            sameAddress(route.gateway, gateway),
        ),
    };
  });
  return [...addresses, ...neighbours, ...routes];
}

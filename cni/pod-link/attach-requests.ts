import type { Family } from '../../base/address.ts';
import { ADDRESS_BITS } from '../../base/address.ts';
import { assert } from '../../base/assert.ts';
import { parseCidr, type Range } from '../../base/range.ts';
import type { NetlinkRequest } from '../../linux/netlink-request.ts';
import { addAddress } from '../../linux/rtnetlink/interface-address.ts';
import { createVeth, setIpv4, setLink, withoutLinkLocal } from '../../linux/rtnetlink/link.ts';
import { setNeighbour } from '../../linux/rtnetlink/neighbour.ts';
import { addRoute, hostBlock, replaceRoute } from '../../linux/rtnetlink/route.ts';
import { type Attachment, GATEWAY } from '../attachment.ts';
import { linkAlias } from '../host-link-name.ts';

/**
 * The netlink requests of an attachment, in order. The pair first, made from within the pod; then the host's end,
 * complete; then the pod's, whose default routes come last: no packet leaves the pod before all else stands.
 */

/** Where every pod sends what is not its own. */
export const DEFAULT_ROUTE: Readonly<Record<Family, Range>> = { 4: cidr('0.0.0.0/0'), 6: cidr('::/0') };

/** Over the pod's socket: both ends, or neither. `hostNamespace` is a descriptor of this process. */
export function pairRequest(attachment: Attachment, hostNamespace: number): NetlinkRequest {
  const { key, hostName, hostMac, podMac, mtu } = attachment;
  return createVeth(
    { name: key.ifname, mac: podMac, mtu },
    { name: hostName, mac: hostMac, mtu, namespace: { fd: hostNamespace } },
  );
}

/**
 * Over the host's socket: who owns the link, no addresses of the kernel's own making, up, the pod's hardware
 * address for good, and its routes.
 *
 * @param link index of the host's end.
 * @param mode `new` refuses where another route to an address exists; `repair` replaces it, and gives the link the
 * hardware address and the MTU of {@link pairRequest}, and makes it a port of nothing.
 */
export function hostRequests(attachment: Attachment, link: number, mode: 'new' | 'repair'): NetlinkRequest[] {
  const { key, network, addresses, podMac, hostMac: mac, mtu } = attachment;
  const setRoute = mode === 'new' ? addRoute : replaceRoute;
  return [
    setLink(link, { alias: linkAlias(key, network) }),
    ...(mode === 'repair' ? [setLink(link, { master: 0 }), setLink(link, { mac, mtu })] : []),
    withoutLinkLocal(link),
    setIpv4(link, { forwarding: 1, acceptRedirects: 0, sendRedirects: 0, acceptSourceRoute: 0 }),
    // Neighbours are set for good on both sides: nothing is asked, and a pod that asks can fill no table of the host.
    setLink(link, { arp: false, up: true }),
    ...addresses.map((address) => setNeighbour(link, address, podMac)),
    ...addresses.map((address) => setRoute({ destination: hostBlock(address), link })),
  ];
}

/** Over the pod's socket. `link` is the index of the pod's end. */
export function podRequests(attachment: Attachment, link: number): NetlinkRequest[] {
  const { addresses, hostMac } = attachment;
  return [
    setLink(link, { up: true }),
    ...addresses.map((address) => addAddress(link, address, ADDRESS_BITS[address.family])),
    ...addresses.map(({ family }) => setNeighbour(link, GATEWAY[family], hostMac)),
    ...addresses.map(({ family }) =>
      addRoute({ destination: DEFAULT_ROUTE[family], link, gateway: GATEWAY[family], onLink: true }),
    ),
  ];
}

function cidr(text: string): Range {
  const range = parseCidr(text);
  assert(range, 'a constant is a block');
  return range;
}

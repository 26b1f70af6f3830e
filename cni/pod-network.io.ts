import { closeSync, openSync } from 'node:fs';
import { ADDRESS_BITS, type Address, formatAddress } from '../base/address.ts';
import { equalBytes } from '../base/bytes.ts';
import { rangeSize, sameRange } from '../base/range.ts';
import { NetlinkError } from '../linux/netlink-request.ts';
import type { Link } from '../linux/rtnetlink/link.ts';
import type { Neighbour } from '../linux/rtnetlink/neighbour.ts';
import { type HostRoute, hostBlock, ROUTE_TABLE_MAIN } from '../linux/rtnetlink/route.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../linux/sysctl.io.ts';
import { DEFAULT_ROUTE, hostRequests, pairRequest, podRequests } from './attach-requests.ts';
import { type Attachment, GATEWAY, hostLinkName, isHostLinkName, parseLinkAlias } from './attachment.ts';
import { CNI_CODE, CniFault } from './fault.ts';
import { setHostEndSysctls } from './host-end-sysctls.io.ts';
import { type AttachmentKey, keyText } from './key.ts';
import { LinkReaper } from './link-reaper.io.ts';
import type { HostLink, Pod, PodNetwork } from './needs.ts';

/**
 * Attachments in the kernel. All work goes over two netlink sockets: the host's, and a socket that the shim opened inside
 * the pod's namespace. This process never enters a pod's namespace and starts no other process.
 */
export class KernelPodNetwork implements PodNetwork {
  readonly #host: RouteClient;
  /** A descriptor of our own namespace, where the host's ends go. */
  readonly #namespace: number;
  readonly #sysctl: Sysctl;
  readonly #reaper: LinkReaper;

  private constructor(host: RouteClient, namespace: number, sysctl: Sysctl) {
    this.#host = host;
    this.#sysctl = sysctl;
    this.#namespace = namespace;
    this.#reaper = new LinkReaper(host);
  }

  /** For the namespace this process is in. Throws WeftError where its sockets cannot be opened. */
  static open(sysctl = new Sysctl()): KernelPodNetwork {
    const host = RouteClient.open();
    try {
      return new KernelPodNetwork(host, openSync('/proc/self/ns/net', 'r'), sysctl);
    } catch (error) {
      host.close();
      throw error;
    }
  }

  /** Nothing in the kernel changes: the pods keep their network. */
  close(): void {
    this.#reaper.close();
    this.#host.close();
    closeSync(this.#namespace);
  }

  enter(fd: number): Pod {
    try {
      return new KernelPod(RouteClient.adopt(fd));
    } catch (cause) {
      throw new CniFault(CNI_CODE.io, 'what came with the request is no netlink socket', { cause });
    }
  }

  async hostLinks(): Promise<readonly HostLink[]> {
    const links = (await this.#host.links()).filter(isHostEnd);
    const routesByLink = new Map<number, Address[]>(links.map(({ index }) => [index, []]));
    for (const family of [4, 6] as const) {
      for (const route of await this.#host.routes(family, ROUTE_TABLE_MAIN)) {
        const { destination } = route;
        if (route.kind !== 'unicast' || rangeSize(destination) !== 1n || route.link === undefined) continue;
        routesByLink.get(route.link)?.push({ family, value: destination.start });
      }
    }
    const neighboursByLink = Map.groupBy(await this.#host.neighbours(), ({ link }) => link);
    return links.map((link) =>
      hostLinkOf(link, routesByLink.get(link.index) ?? [], neighboursByLink.get(link.index) ?? []),
    );
  }

  async hostLink(key: AttachmentKey): Promise<HostLink | undefined> {
    const link = await this.#host.link(hostLinkName(key));
    return link && hostLinkOf(link, [], []);
  }

  async attach(pod: Pod, attachment: Attachment): Promise<void> {
    const inside = clientOf(pod);
    await explained(async () => {
      await inside.execute(pairRequest(attachment, this.#namespace));
      const [near, far] = await Promise.all([
        inside.link(attachment.key.ifname),
        this.#host.link(attachment.hostName),
      ]);
      // A process in the pod may have put another link in the place of its end: nothing of the host is named by it.
      if (near === undefined || far === undefined || near.peerIndex !== far.index)
        throw new CniFault(CNI_CODE.io, 'the pair that was just made is gone from the pod');
      setHostEndSysctls(this.#sysctl, attachment);
      await this.#host.execute(...hostRequests(attachment, far.index, 'new'));
      await inside.execute(...podRequests(attachment, near.index));
    });
  }

  async inspect(pod: Pod, attachment: Attachment): Promise<readonly string[]> {
    return explained(async () => [
      ...(await podFaults(clientOf(pod), attachment)),
      ...(await this.#hostFaults(attachment)),
    ]);
  }

  async repair(attachment: Attachment): Promise<void> {
    await explained(async () => {
      const link = await this.#host.link(attachment.hostName);
      if (!link) throw new Error(`link ${attachment.hostName} is gone`);
      setHostEndSysctls(this.#sysctl, attachment);
      await this.#host.execute(...hostRequests(attachment, link.index, 'repair'));
    });
  }

  async detach(key: AttachmentKey): Promise<boolean> {
    return explained(async () => {
      const link = await this.#host.link(hostLinkName(key));
      if (!link) return false;
      const owner = parseLinkAlias(link.alias ?? '');
      // Two keys with one name: the link belongs to whom its alias says.
      if (owner && keyText(owner.key) !== keyText(key)) return false;
      await this.#reaper.remove(link.index);
      return true;
    });
  }

  async removeLink(name: string): Promise<void> {
    await explained(async () => {
      const link = await this.#host.link(name);
      if (link && isHostEnd(link)) await this.#reaper.remove(link.index);
    });
  }

  async #hostFaults(attachment: Attachment): Promise<string[]> {
    const { hostName, addresses } = attachment;
    const link = await this.#host.link(hostName);
    if (!link) return [`link ${hostName} on the host`];
    const faults = link.up ? [] : [`link ${hostName} on the host is down`];
    for (const address of addresses) {
      const wanted = hostBlock(address);
      const routes = await this.#host.routes(address.family, ROUTE_TABLE_MAIN);
      const found = routes.some((route) => route.link === link.index && sameRange(route.destination, wanted));
      if (!found) faults.push(`route to ${formatAddress(address)} on the host`);
    }
    return faults;
  }
}

class KernelPod implements Pod {
  readonly client: RouteClient;

  constructor(client: RouteClient) {
    this.client = client;
  }

  async hasInterface(name: string): Promise<boolean> {
    return explained(async () => (await this.client.link(name)) !== undefined);
  }

  close(): void {
    this.client.close();
  }
}

function clientOf(pod: Pod): RouteClient {
  if (!(pod instanceof KernelPod)) throw new TypeError('the pod is of another network');
  return pod.client;
}

async function podFaults(inside: RouteClient, attachment: Attachment): Promise<string[]> {
  const { key, podMac, addresses } = attachment;
  const link = await inside.link(key.ifname);
  if (!link) return [`interface ${key.ifname} in the pod`];
  const faults: string[] = [];
  if (!link.up) faults.push(`interface ${key.ifname} in the pod is down`);
  if (!equalBytes(link.mac, podMac))
    faults.push(`interface ${key.ifname} in the pod is not the one that was made`);
  const present = await inside.addresses(link.index);
  for (const address of addresses) {
    const { family, value } = address;
    const has = present.some(
      (entry) =>
        entry.address.family === family &&
        entry.address.value === value &&
        entry.prefix === ADDRESS_BITS[family],
    );
    if (!has) faults.push(`address ${formatAddress(address)} in the pod`);
    const routes = await inside.routes(family, ROUTE_TABLE_MAIN);
    if (!routes.some((route) => isDefaultRoute(route, link.index)))
      faults.push(`default route of IPv${family} in the pod`);
  }
  return faults;
}

function isDefaultRoute(route: HostRoute, link: number): boolean {
  const { family } = route.destination;
  return (
    route.link === link &&
    sameRange(route.destination, DEFAULT_ROUTE[family]) &&
    route.gateway?.value === GATEWAY[family].value
  );
}

function isHostEnd(link: Link): boolean {
  return link.kind === 'veth' && isHostLinkName(link.name);
}

function hostLinkOf(link: Link, routes: readonly Address[], neighbours: readonly Neighbour[]): HostLink {
  return {
    name: link.name,
    owner: parseLinkAlias(link.alias ?? ''),
    up: link.up,
    arp: link.arp,
    isPort: link.masterIndex !== undefined,
    routes,
    neighbours: neighbours.flatMap(({ address, mac, permanent }) =>
      permanent && mac ? [{ address, mac }] : [],
    ),
  };
}

/** What the kernel refuses, as the runtime shall read it. */
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof NetlinkError)) throw cause;
    const code = cause.code === 'EEXIST' ? CNI_CODE.exists : CNI_CODE.io;
    throw new CniFault(code, `the kernel refused to ${cause.message}`, { cause });
  }
}

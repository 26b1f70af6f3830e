import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, formatAddress } from '../../base/address.ts';
import { rangeSize, sameRange } from '../../base/range.ts';
import { WeftError } from '../../base/weft-error.ts';
import { NetlinkError } from '../../linux/netlink-request.ts';
import { type Link, setLink } from '../../linux/rtnetlink/link.ts';
import type { Neighbour } from '../../linux/rtnetlink/neighbour.ts';
import { hostBlock, ROUTE_TABLE_MAIN } from '../../linux/rtnetlink/route.ts';
import { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../../linux/sysctl.io.ts';
import { DescriptorWatch } from '../../native/descriptor-watch.ts';
import { type Attachment, MIN_MTU } from '../attachment.ts';
import { CNI_CODE, CniFault } from '../fault.ts';
import { hostLinkName, isHostLinkName, parseLinkAlias } from '../host-link-name.ts';
import { type AttachmentKey, keyText } from '../key.ts';
import type { HostLink, MadeEnd, Pod, PodNetwork } from '../needs.ts';
import { hostRequests, pairRequest, podRequests } from './attach-requests.ts';
import { LinkReaper } from './link-reaper.io.ts';
import { observePodEnd } from './pod-end.io.ts';
import { podEndFaults } from './pod-end.ts';

/** Between two looks at whether the kernel sends by the host's end, and until when there are any. */
const RUNNING_LOOK_MS = 2;
const RUNNING_MS = 200;

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

  enter(fds: readonly number[]): Pod {
    try {
      return KernelPod.enter(fds);
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

  async attach(pod: Pod, attachment: Attachment): Promise<MadeEnd> {
    const inside = clientOf(pod);
    return explained(async () => {
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
      await this.#untilRunning(attachment.hostName);
      return { link: near.index, carrierLosses: near.carrierLosses ?? 0 };
    });
  }

  /**
   * The host's end has its carrier from when the pod's end is up, but the kernel sends by it only after a work of its own,
   * which waits while others change links: until then what is for the pod is dropped. The pod may set its end down at once, so
   * this ends in any case; and no pod is refused for want of it.
   */
  async #untilRunning(hostName: string): Promise<void> {
    const until = performance.now() + RUNNING_MS;
    try {
      while (performance.now() < until && (await this.#host.link(hostName))?.running === false)
        await delay(RUNNING_LOOK_MS);
    } catch (error) {
      if (!(error instanceof WeftError) && !(error instanceof NetlinkError)) throw error;
    }
  }

  async inspect(pod: Pod, attachment: Attachment): Promise<readonly string[]> {
    return explained(async () => [
      ...(await podFaults(clientOf(pod), attachment)),
      ...(await this.#hostFaults(attachment)),
    ]);
  }

  async repair(attachment: Attachment): Promise<void> {
    await explained(async () => {
      const { key, hostName: name } = attachment;
      const link = await this.#hostEnd(key);
      if (!link) throw new Error(`link ${name} is gone`);
      // Not all kernels rename what is up; and IPv6, which ends below 1280 bytes, begins with an address of its own there.
      if (link.name !== name || link.mtu < MIN_MTU)
        await this.#host.execute(
          setLink(link.index, { up: false }),
          setLink(link.index, { name, mtu: attachment.mtu }),
        );
      setHostEndSysctls(this.#sysctl, attachment);
      await this.#host.execute(...hostRequests(attachment, link.index, 'repair'));
    });
  }

  async detach(key: AttachmentKey): Promise<boolean> {
    return explained(async () => {
      const link = await this.#hostEnd(key);
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

  /** By its name, or else by its alias, where somebody gave it another name. */
  async #hostEnd(key: AttachmentKey): Promise<Link | undefined> {
    const name = hostLinkName(key);
    return (await this.#host.link(name)) ?? (await this.#host.links()).find((link) => madeAs(link) === name);
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

/** What the shim brings so that a pod can be held; see PodHolder. */
export interface PodHandles {
  /** Requests to the pod's namespace. */
  readonly client: RouteClient;
  /** A netlink socket of it, a member of no group yet. */
  readonly events: DescriptorWatch;
  /** Readable when the namespace's path may have gone. */
  readonly end: DescriptorWatch;
}

/** Takes the handles out of `pod`, whose they are no more; undefined where the shim brought none. */
export function takeHandles(pod: Pod): PodHandles | undefined {
  return pod instanceof KernelPod ? pod.take() : undefined;
}

class KernelPod implements Pod {
  readonly client: RouteClient;
  readonly #watches: DescriptorWatch[] = [];
  #taken = false;

  private constructor(client: RouteClient) {
    this.client = client;
  }

  /** Throws SystemError or WeftError where the descriptors are not what the shim brings. */
  static enter([requests, ...others]: readonly number[]): KernelPod {
    const pod = new KernelPod(RouteClient.adopt(requests!));
    try {
      for (const fd of others) pod.#watches.push(DescriptorWatch.adopt(fd));
    } catch (error) {
      pod.close();
      throw error;
    }
    return pod;
  }

  take(): PodHandles | undefined {
    const [events, end] = this.#watches;
    if (!events || !end || this.#taken) return undefined;
    this.#taken = true;
    return { client: this.client, events, end };
  }

  async hasInterface(name: string): Promise<boolean> {
    return explained(async () => (await this.client.link(name)) !== undefined);
  }

  close(): void {
    if (this.#taken) return;
    this.client.close();
    for (const watch of this.#watches) watch.close();
  }
}

function clientOf(pod: Pod): RouteClient {
  if (!(pod instanceof KernelPod)) throw new TypeError('the pod is of another network');
  return pod.client;
}

/** What CHECK holds against a pod. An MTU is not: the overlay's may have become another one since. */
async function podFaults(inside: RouteClient, attachment: Attachment): Promise<string[]> {
  const { ifname } = attachment.key;
  const observed = await observePodEnd(inside, ifname);
  if (!observed.link) return [`interface ${ifname} in the pod`];
  return podEndFaults(observed, attachment)
    .filter(({ part }) => part !== 'mtu')
    .map(({ fault }) => fault);
}

function isHostEnd(link: Link): boolean {
  return madeAs(link) !== undefined;
}

/** The name with which a host's end was made: the one that it has, or that its alias tells; undefined for other links. */
function madeAs({ kind, name, alias }: Link): string | undefined {
  if (kind !== 'veth') return undefined;
  if (isHostLinkName(name)) return name;
  const owner = parseLinkAlias(alias ?? '');
  return owner && hostLinkName(owner.key);
}

function hostLinkOf(link: Link, routes: readonly Address[], neighbours: readonly Neighbour[]): HostLink {
  const name = madeAs(link) ?? link.name;
  return {
    name,
    calledNow: link.name === name ? undefined : link.name,
    mac: link.mac,
    mtu: link.mtu,
    // A kernel that does not tell is taken at its best.
    forwards4: link.forwards4 ?? true,
    owner: parseLinkAlias(link.alias ?? ''),
    up: link.up,
    carrierLosses: link.carrierLosses ?? 0,
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

/**
 * Kernel settings of the host's end of a pod. IPv6 on the host's end, where the host has it switched off for new interfaces: the pod has
 * an IPv6 address. And a pod must not advertise itself as a router to the host (CVE-2020-10749). Where /proc/sys may not be
 * written, two other things keep it from that: a host that forwards ignores advertisements, and the packet rules drop them.
 *
 * @throws WeftError E_SYSCTL where IPv6 is off and may not be switched on.
 */
function setHostEndSysctls(sysctl: Sysctl, { hostName, addresses }: Attachment): void {
  const settings = `net/ipv6/conf/${hostName}`;
  if (addresses.some(({ family }) => family === 6)) sysctl.ensure(`${settings}/disable_ipv6`, '0');
  try {
    sysctl.ensure(`${settings}/accept_ra`, '0');
  } catch {
    // See above.
  }
}

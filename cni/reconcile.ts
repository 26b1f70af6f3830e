import { formatAddress, sameAddress } from '../base/address.ts';
import { equalBytes } from '../base/bytes.ts';
import { type Attachment, type PodAddresses, planAttachment } from './attachment.ts';
import type { HostEndMtus } from './host-end-mtus.ts';
import { hostLinkName } from './host-link-name.ts';
import { type AttachmentKey, keyText } from './key.ts';
import type { HostLink } from './needs.ts';

/** An entry of the pool. */
interface Allocation {
  readonly key: AttachmentKey;
  readonly addresses: PodAddresses;
}

/** An attachment whose host end somebody changed. */
interface BrokenAttachment extends Allocation {
  readonly network: string;
  /** MTU that the host's end is to have. */
  readonly mtu: number;
  /** What is wrong, for people: `wv0123456789a is down`. */
  readonly faults: readonly string[];
}

/** What must be done so that allocations and links say the same again. */
interface Reconciliation {
  /** Allocations without a pair: their pods are gone (a reboot, a deleted namespace). To be released. */
  readonly stale: readonly AttachmentKey[];
  /** Names of links without an allocation: nobody answers for their addresses. To be removed. */
  readonly orphans: readonly string[];
  /** Attachments whose host end is not as it was made. To be repaired; the pods keep running. */
  readonly broken: readonly BrokenAttachment[];
  /** Attachments that are as they should be. */
  readonly intact: number;
}

/**
 * Compares what the pool has on disk with the host ends that really exist. A pair dies with the pod's namespace,
 * so after a reboot nothing is left of the old boot but allocations, and all of them are stale: no boot id is
 * needed to see it.
 */
export function reconcile(
  allocations: readonly Allocation[],
  links: readonly HostLink[],
  mtus: Pick<HostEndMtus, 'of'>,
): Reconciliation {
  const linkByName = new Map(links.map((link) => [link.name, link]));
  const stale: AttachmentKey[] = [];
  const broken: BrokenAttachment[] = [];
  let intact = 0;
  for (const allocation of allocations) {
    const name = hostLinkName(allocation.key);
    const link = linkByName.get(name);
    // Without an alias the ADD was cut off: the runtime saw it fail and will not use the pod.
    if (link?.owner === undefined || keyText(link.owner.key) !== keyText(allocation.key)) {
      stale.push(allocation.key);
      continue;
    }
    linkByName.delete(name);
    const { network } = link.owner;
    const mtu = mtus.of(link);
    const faults = hostEndFaults(planAttachment(allocation.key, network, allocation.addresses, mtu), link);
    if (faults.length === 0) intact++;
    else broken.push({ ...allocation, network, mtu, faults });
  }
  return { stale, orphans: [...linkByName.keys()], broken, intact };
}

/** What of the host's end is not as `attachment` says, in words for people; nothing where all is. */
function hostEndFaults({ hostName, hostMac, addresses, podMac, mtu }: Attachment, link: HostLink): string[] {
  const faults: string[] = [];
  if (link.calledNow !== undefined) faults.push(`${hostName} was called ${link.calledNow}`);
  // The pod sends to the one that it was told, and gets nothing where it is another.
  if (!equalBytes(link.mac, hostMac)) faults.push(`${hostName} has another hardware address`);
  if (link.mtu !== mtu) faults.push(`${hostName} has MTU ${link.mtu} and must have ${mtu}`);
  if (!link.forwards4) faults.push(`${hostName} does not forward IPv4`);
  if (!link.up) faults.push(`${hostName} is down`);
  if (link.arp) faults.push(`${hostName} answers ARP`);
  if (link.isPort) faults.push(`${hostName} is a port of another interface`);
  for (const address of addresses) {
    if (!link.routes.some((route) => sameAddress(route, address)))
      faults.push(`the route to ${formatAddress(address)} by ${hostName} is missing`);
    const isNeighbour = (entry: HostLink['neighbours'][number]): boolean =>
      sameAddress(entry.address, address) && equalBytes(entry.mac, podMac);
    if (!link.neighbours.some(isNeighbour))
      faults.push(`the neighbour ${formatAddress(address)} on ${hostName} is missing`);
  }
  return faults;
}

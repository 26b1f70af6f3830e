import { type Address, sameAddress } from '../base/address.ts';
import { hostLinkName, type PodAddresses } from './attachment.ts';
import { type AttachmentKey, keyText } from './key.ts';
import type { HostLink } from './needs.ts';

/** An entry of the pool. */
export interface Allocation {
  readonly key: AttachmentKey;
  readonly addresses: PodAddresses;
}

/** What must be done so that allocations and links say the same again. */
export interface Reconciliation {
  /** Allocations without a pair: their pods are gone (a reboot, a deleted namespace). To be released. */
  readonly stale: readonly AttachmentKey[];
  /** Names of links without an allocation: nobody answers for their addresses. To be removed. */
  readonly orphans: readonly string[];
  /** Attachments whose host end is down or lacks a route. To be repaired; the pods keep running. */
  readonly broken: readonly (Allocation & { readonly network: string })[];
  /** Attachments that are as they should be. */
  readonly intact: number;
}

/**
 * Compares what the pool has on disk with the host ends that really exist. A pair dies with the pod's namespace,
 * so after a reboot nothing is left of the old boot but allocations, and all of them are stale: no boot id is
 * needed to see it.
 */
export function reconcile(allocations: readonly Allocation[], links: readonly HostLink[]): Reconciliation {
  const linkByName = new Map(links.map((link) => [link.name, link]));
  const stale: AttachmentKey[] = [];
  const broken: (Allocation & { network: string })[] = [];
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
    if (link.up && wanted(allocation).every((address) => hasRoute(link, address))) intact++;
    else broken.push({ ...allocation, network: link.owner.network });
  }
  return { stale, orphans: [...linkByName.keys()], broken, intact };
}

function wanted({ addresses }: Allocation): Address[] {
  return [addresses.v4, addresses.v6].filter((address) => address !== undefined);
}

function hasRoute(link: HostLink, address: Address): boolean {
  return link.routes.some((route) => sameAddress(route, address));
}

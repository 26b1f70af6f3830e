import { type Address, formatAddress, sameAddress } from '../../base/address.ts';
import type { PolicyPod } from '../model/pod.ts';
import { type ClusterIndex, type Holder, podKey } from './cluster-index.ts';

/** Who hangs on a link of this node, as weftd tells it. */
export interface PodAttachment {
  readonly link: string;
  readonly addresses: readonly Address[];
  /** Null where weftd does not know it. A `uid` that is empty is not known. */
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string } | null;
  /** The pod was found by what the API tells of the addresses. Absent: false. */
  readonly byAddress?: boolean;
  /** No pod of Kubernetes. */
  readonly ungoverned: boolean;
}

/** What changes of who hangs here: those that come or are others than before, and links that are gone. */
export interface AttachmentChange<T> {
  readonly put: readonly T[];
  readonly gone: readonly string[];
}

/** A link, and the pod that was found for it. */
export interface LocalLink {
  readonly attachment: PodAttachment;
  readonly addresses: readonly string[];
  /** As the API last had it; undefined where it never did. */
  pod: PolicyPod | undefined;
  /** The API still has that pod, so it is a peer of others. One that it has no more stays under its last labels. */
  isKnown: boolean;
}

/**
 * The links of this node and whose they are. A pod is found by name and UID; a static pod by the hash that stands in for
 * its UID; one that no runtime named by its addresses, also when it was found by them before: the API may have been behind. Whoever claims to be a pod of another node, or one with its
 * node's addresses, is found to be nobody.
 */
export class Attachments {
  readonly #cluster: ClusterIndex;
  readonly #node: string;
  readonly #byLink = new Map<string, LocalLink>();
  /** By the pod that a runtime named; under '' those for which none did. */
  readonly #byPod = new Map<string, Set<LocalLink>>();

  constructor(cluster: ClusterIndex, node: string) {
    this.#cluster = cluster;
    this.#node = node;
  }

  links(): Iterable<LocalLink> {
    return this.#byLink.values();
  }

  /** The links that may be this pod's. */
  *candidates(pod: Pick<PolicyPod, 'namespace' | 'name'>): Iterable<LocalLink> {
    yield* this.#byPod.get(podKey(pod)) ?? [];
    yield* this.#byPod.get('') ?? [];
  }

  get(link: string): LocalLink | undefined {
    return this.#byLink.get(link);
  }

  /** What makes `attachments` of those there are. */
  differenceTo(attachments: readonly PodAttachment[]): AttachmentChange<PodAttachment> {
    const links = new Set(attachments.map(({ link }) => link));
    return { put: attachments, gone: [...this.#byLink.keys()].filter((link) => !links.has(link)) };
  }

  /** Answers those that came and those that went; one that became another does both, and one that is the same neither. */
  change({ put, gone }: AttachmentChange<PodAttachment>): {
    readonly came: readonly LocalLink[];
    readonly went: readonly LocalLink[];
  } {
    const went: LocalLink[] = [];
    const came: LocalLink[] = [];
    for (const link of gone) {
      const local = this.#byLink.get(link);
      if (local === undefined) continue;
      this.#byLink.delete(link);
      went.push(local);
    }
    for (const attachment of put) {
      const known = this.#byLink.get(attachment.link);
      if (known !== undefined && sameAttachment(known.attachment, attachment)) continue;
      if (known !== undefined) went.push(known);
      const addresses = attachment.addresses.map(formatAddress);
      const local: LocalLink = { attachment, addresses, pod: undefined, isKnown: false };
      this.#byLink.set(attachment.link, local);
      came.push(local);
    }
    for (const local of went) {
      const key = keyOf(local);
      this.#byPod.get(key)?.delete(local);
      if (this.#byPod.get(key)?.size === 0) this.#byPod.delete(key);
      this.#release(local);
    }
    for (const local of came) {
      const key = keyOf(local);
      this.#byPod.set(key, (this.#byPod.get(key) ?? new Set()).add(local));
      this.#claim(local);
    }
    return { came, went };
  }

  /** Finds out whose a link is. True where that is somebody else than before, or the same one changed. */
  resolve(local: LocalLink): boolean {
    const found = this.#find(local);
    if (found === local.pod && local.isKnown === (found !== undefined)) return false;
    const wasKnown = local.isKnown;
    if (found === undefined && !wasKnown) return false;
    this.#release(local);
    if (found !== undefined) local.pod = found;
    local.isKnown = found !== undefined;
    this.#claim(local);
    return true;
  }

  /** The pod that has the link has its addresses, and nobody else. */
  #claim(local: LocalLink): void {
    const { attachment, addresses, pod } = local;
    const holder = holderOf(local);
    // Whose the link is that weftd knows nothing of is found out by what the API says of its addresses.
    if (holder !== 'unknown' || attachment.pod !== null || pod !== undefined)
      this.#cluster.attach(addresses, holder);
  }

  #release(local: LocalLink): void {
    this.#cluster.detach(local.addresses, holderOf(local));
  }

  #find({ attachment, addresses }: LocalLink): PolicyPod | undefined {
    const { pod: named, byAddress, ungoverned } = attachment;
    if (ungoverned) return undefined;
    const pod = named === null ? undefined : this.#named(named);
    if (named !== null && !byAddress) return pod;
    const claimants = addresses.flatMap((address) => this.#cluster.claimantsOf(address));
    const ours = [...new Set(claimants)].filter((pod) => this.#isOurs(pod));
    if (ours.length === 1) return ours[0];
    return pod !== undefined && (ours.length === 0 || ours.includes(pod)) ? pod : undefined;
  }

  #named({ namespace, name, uid }: NonNullable<PodAttachment['pod']>): PolicyPod | undefined {
    const pod = this.#cluster.pod(namespace, name);
    if (pod === undefined || !this.#isOurs(pod)) return undefined;
    return uid === '' || uid === pod.uid || uid === pod.configHash ? pod : undefined;
  }

  #isOurs(pod: PolicyPod): boolean {
    return !pod.hostNetwork && pod.nodeName === this.#node;
  }
}

function keyOf({ attachment: { pod, byAddress } }: LocalLink): string {
  return pod === null || byAddress ? '' : podKey(pod);
}

function holderOf({ attachment, pod, isKnown }: LocalLink): Holder {
  if (attachment.ungoverned) return 'no-pod';
  return isKnown && pod !== undefined ? pod : 'unknown';
}

function sameAttachment(a: PodAttachment, b: PodAttachment): boolean {
  if (a === b) return true;
  if (a.ungoverned !== b.ungoverned || (a.byAddress ?? false) !== (b.byAddress ?? false)) return false;
  if ((a.pod === null) !== (b.pod === null)) return false;
  if (a.pod?.namespace !== b.pod?.namespace || a.pod?.name !== b.pod?.name || a.pod?.uid !== b.pod?.uid)
    return false;
  return (
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, i) => sameAddress(address, b.addresses[i]!))
  );
}

import type { Address } from '../base/address.ts';
import type { Attachment, PodAddresses } from './attachment.ts';
import type { AttachmentKey } from './key.ts';
import type { PodOfArgs } from './pod-args.ts';

/**
 * What {@link CniPlugin} needs of the rest of the daemon. The shell implements these; so do the tests.
 */

/** Where pods' addresses come from: the node's ranges of the ring. */
export interface AddressPool {
  /**
   * The addresses of `key`: those it has already, or new ones, on disk before the promise resolves. Rejects with
   * a {@link CniFault} or WeftError that says why there is none, and always soon after `signal` aborts.
   */
  allocate(key: AttachmentKey, signal: AbortSignal): Promise<PodAddresses>;
  /** Gives the addresses of `key` back, on disk before it resolves. Nothing where it has none. */
  release(key: AttachmentKey): Promise<void>;
  /** Everything allocated. */
  keys(): readonly AttachmentKey[];
  addressesOf(key: AttachmentKey): PodAddresses | undefined;
  /** Whether an `allocate` would find an address now. */
  state(): PoolState;
}

export type PoolState = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/** The kernel's side of attachments: links, addresses, routes and neighbours in the pods and on the host. */
export interface PodNetwork {
  /**
   * Takes the descriptors that came with a request, at least one, which the caller may close at once; so this must be
   * called before anything is awaited. The first is a netlink socket of the pod; see {@link PodHolder} for two more.
   * Throws a {@link CniFault} where they are not that.
   */
  enter(fds: readonly number[]): Pod;
  /** The host ends of all attachments, with their routes. */
  hostLinks(): Promise<readonly HostLink[]>;
  /** The host end of `key`, or undefined. Its routes and neighbours are not looked up. */
  hostLink(key: AttachmentKey): Promise<HostLink | undefined>;
  /**
   * Makes the pair and everything on it; the pod's default routes come last. What is made when it fails midway
   * stays for {@link detach}. Throws a {@link CniFault}, code 100 where the pod has such an interface.
   */
  attach(pod: Pod, attachment: Attachment): Promise<MadeEnd>;
  /** What of `attachment` is not there, in words for people; nothing when all is. */
  inspect(pod: Pod, attachment: Attachment): Promise<readonly string[]>;
  /** Makes the host's end what `attachment` says again; the pod's end is left alone. */
  repair(attachment: Attachment): Promise<void>;
  /** Removes the pair of `key` and with it all its addresses, routes and neighbours. False where there is none. */
  detach(key: AttachmentKey): Promise<boolean>;
  /** Removes a host end that belongs to nobody. */
  removeLink(name: string): Promise<void>;
}

/** A pod as far as one call goes. */
export interface Pod {
  hasInterface(name: string): Promise<boolean>;
  close(): void;
}

/** The host's end of an attachment, as the kernel has it. */
export interface HostLink {
  /** The name that it was made with. */
  readonly name: string;
  /** What the alias says; undefined for a link whose ADD was cut off before it got one. */
  readonly owner: { readonly key: AttachmentKey; readonly network: string } | undefined;
  readonly up: boolean;
  /** How often it has lost its carrier. */
  readonly carrierLosses?: number;
  /** What it is called, where somebody gave it another name than `name`. */
  readonly calledNow?: string | undefined;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** False where somebody switched off that IPv4 is forwarded from it. */
  readonly forwards4: boolean;
  /** It answers ARP, so that a pod can fill the host's table of neighbours. */
  readonly arp: boolean;
  /** Somebody made it a port of a bridge or bond, so that no packet of it is routed. */
  readonly isPort: boolean;
  /** Pod addresses that the host routes to this link. */
  readonly routes: readonly Address[];
  /** Addresses whose hardware address on this link is set for good. */
  readonly neighbours: readonly { readonly address: Address; readonly mac: Uint8Array }[];
}

/** The pod's end as it was made, before it was up. */
export interface MadeEnd {
  /** Index of the interface in the pod. */
  readonly link: number;
  /** How often it had lost its carrier by then. */
  readonly carrierLosses: number;
}

/** A pod whose end is to be kept as it was made. */
export interface HeldPod extends MadeEnd {
  readonly attachment: Attachment;
  /** Whose container it is, for people. */
  readonly owner: string;
  /** Last part of the path of the pod's namespace. */
  readonly netnsName: string;
  /** Parts of it that others changed on purpose while the pod was made, and that are left alone; undefined: not known yet. */
  readonly leftAlone: readonly string[] | undefined;
}

/**
 * Keeps the pods' ends as they were made, by what the shim brings with an ADD: sockets of the pod's namespace, and a
 * descriptor that tells when the namespace goes. Without those, a pod is not held.
 */
export interface PodHolder {
  /** Takes over what `pod` came with. */
  hold(pod: Pod, held: HeldPod): void;
  /** Lets go of it, so that its namespace can end. Harmless where it is not held. */
  release(key: AttachmentKey): void;
  holds(key: AttachmentKey): boolean;
}

/** Keeps pods apart from everything until policies were decided for them. */
export interface PodGate {
  /**
   * `attachment` is about to be made for `pod`; its link is not up yet. Resolves when it may be. Rejects with a
   * {@link CniFault} only where what was decided for an earlier container of the same key cannot be taken back.
   */
  announce(attachment: Attachment, pod: PodOfArgs): Promise<void>;
  /** The pair of `key` is up. Resolves when the call may be answered, whatever was decided; never rejects. */
  admitted(key: AttachmentKey): Promise<void>;
  /** The pair of `key` is gone. Harmless where there was none. */
  forget(key: AttachmentKey): void;
  /** These are attached, and no others. To be called once, before anything is announced. */
  adopt(attached: readonly { readonly key: AttachmentKey; readonly addresses: PodAddresses }[]): void;
}

/** Deletions that came while no daemon was there. */
export interface DeletionSpool {
  /** Names of what waits, at most MAX_SPOOLED_DELETIONS. */
  pending(): Promise<readonly string[]>;
  /** The request as it would have come over the control socket, not checked; undefined where it is none. */
  read(name: string): Promise<unknown>;
  /** Removes one that has been carried out, or never can be. */
  discard(name: string): Promise<void>;
  /** Removes that of `key`: a new ADD makes an old deletion void. */
  forget(key: AttachmentKey): Promise<void>;
}

import { parseAddress } from '../../base/address.ts';
import { type Range, rangeContains } from '../../base/range.ts';
import type { PolicyNamespace, PolicyNode } from '../model/cluster-objects.ts';
import { selects } from '../model/label-selector.ts';
import type { Labels } from '../model/labels.ts';
import { NAMESPACE_NAME_LABEL } from '../model/labels.ts';
import type { PolicyPod } from '../model/pod.ts';
import type { PodSelector } from '../model/policy.ts';

/**
 * Pods, namespaces and nodes as they are, found by whatever policy asks for. It answers whose an address is:
 *
 * - A pod that has ended and one with its node's addresses have none of their own.
 * - A pod that is attached to this node has the addresses that it was attached with, whatever the API says of it, and
 *   nobody else has them: the API may still know an earlier owner.
 * - An address that pods are given, and that no pod and no node is known to have, is a stranger's. He may be any pod, one
 *   whose address the API does not tell yet.
 */
export class ClusterIndex {
  readonly #podsByNamespace = new Map<string, Map<string, PolicyPod>>();
  readonly #ownersByAddress = new Map<string, readonly PolicyPod[]>();
  readonly #namespaceByName = new Map<string, PolicyNamespace>();
  readonly #nodeByName = new Map<string, PolicyNode>();
  /** Made when it is asked for. */
  #nodesByAddress: ReadonlyMap<string, readonly PolicyNode[]> | undefined;
  readonly #attachedByPod = new Map<string, readonly string[]>();
  readonly #holderByAttachedAddress = new Map<string, string>();
  #overlayByNode: ReadonlyMap<string, readonly string[]> = new Map();
  #overlayAddresses: ReadonlySet<string> = new Set();
  #podRanges: readonly Range[] = [];

  pod(namespace: string, name: string): PolicyPod | undefined {
    return this.#podsByNamespace.get(namespace)?.get(name);
  }

  podsIn(namespace: string): Iterable<PolicyPod> {
    return this.#podsByNamespace.get(namespace)?.values() ?? [];
  }

  /** Namespaces that have pods or are known themselves. */
  namespaceNames(): Iterable<string> {
    return new Set([...this.#namespaceByName.keys(), ...this.#podsByNamespace.keys()]);
  }

  /** Takes in a pod, in place of an earlier one of the same name. */
  putPod(pod: PolicyPod): void {
    const before = this.pod(pod.namespace, pod.name);
    if (before !== undefined) this.#disown(before);
    const pods = this.#podsByNamespace.get(pod.namespace) ?? new Map<string, PolicyPod>();
    this.#podsByNamespace.set(pod.namespace, pods);
    pods.set(pod.name, pod);
    for (const address of this.addressesOf(pod)) {
      const others = this.#ownersByAddress.get(address);
      // Nearly always there are none; a list that is made by spreading has room for 17.
      this.#ownersByAddress.set(address, others === undefined ? [pod] : [...others, pod]);
    }
  }

  /** The pod is gone. Harmless where another one, or none, has its name. */
  removePod({ namespace, name, uid }: Pick<PolicyPod, 'namespace' | 'name' | 'uid'>): void {
    const pods = this.#podsByNamespace.get(namespace);
    const known = pods?.get(name);
    if (pods === undefined || known === undefined || known.uid !== uid) return;
    this.#disown(known);
    pods.delete(name);
    if (pods.size === 0) this.#podsByNamespace.delete(namespace);
  }

  #disown(pod: PolicyPod): void {
    for (const address of this.addressesOf(pod)) {
      const others = (this.#ownersByAddress.get(address) ?? []).filter((other) => other !== pod);
      if (others.length === 0) this.#ownersByAddress.delete(address);
      else this.#ownersByAddress.set(address, others);
    }
  }

  /** The addresses at which a pod is a peer of others. */
  addressesOf(pod: PolicyPod): readonly string[] {
    if (pod.hasEnded || pod.hostNetwork) return [];
    return this.#attachedByPod.get(podKey(pod)) ?? pod.addresses;
  }

  /** The pods that the API knows, or this node, to have or have had `address`. */
  claimantsOf(address: string): readonly PolicyPod[] {
    return this.#ownersByAddress.get(address) ?? [];
  }

  /** The pods that have `address`; more than one only while the API is behind. */
  podsAt(address: string): readonly PolicyPod[] {
    const owners = this.#ownersByAddress.get(address) ?? [];
    const attached = this.#holderByAttachedAddress.get(address);
    return attached === undefined ? owners : owners.filter((pod) => podKey(pod) === attached);
  }

  /** These addresses are attached here, to `holder` and to nobody else. */
  attach(addresses: readonly string[], holder: Holder): void {
    const key = holderKey(holder);
    for (const address of addresses) this.#holderByAttachedAddress.set(address, key);
    if (typeof holder === 'string') return;
    this.#setAttached(holder, [...(this.#attachedByPod.get(key) ?? []), ...addresses]);
  }

  /** Undoes {@link attach}. */
  detach(addresses: readonly string[], holder: Holder): void {
    const key = holderKey(holder);
    for (const address of addresses) {
      if (this.#holderByAttachedAddress.get(address) === key) this.#holderByAttachedAddress.delete(address);
    }
    if (typeof holder === 'string') return;
    const left = [...(this.#attachedByPod.get(key) ?? [])];
    for (const address of addresses) {
      const at = left.indexOf(address);
      if (at >= 0) left.splice(at, 1);
    }
    this.#setAttached(holder, left);
  }

  #setAttached(pod: Pick<PolicyPod, 'namespace' | 'name'>, addresses: readonly string[]): void {
    const known = this.pod(pod.namespace, pod.name);
    if (known !== undefined) this.removePod(known);
    if (addresses.length === 0) this.#attachedByPod.delete(podKey(pod));
    else this.#attachedByPod.set(podKey(pod), addresses);
    if (known !== undefined) this.putPod(known);
  }

  putNamespace(namespace: PolicyNamespace): void {
    this.#namespaceByName.set(namespace.name, namespace);
  }

  removeNamespace(name: string): void {
    this.#namespaceByName.delete(name);
  }

  /** Whether its labels are known. */
  knowsNamespace(name: string): boolean {
    return this.#namespaceByName.has(name);
  }

  /** Of a namespace that is not known, the API server gives away its name alone. */
  namespaceLabels(name: string): Labels {
    return this.#namespaceByName.get(name)?.labels ?? new Map([[NAMESPACE_NAME_LABEL, name]]);
  }

  putNode(node: PolicyNode): void {
    this.#nodeByName.set(node.name, node);
    this.#nodesByAddress = undefined;
  }

  removeNode(name: string): void {
    this.#nodeByName.delete(name);
    this.#nodesByAddress = undefined;
  }

  /** The addresses that nodes have on the overlay, by the names of nodes. */
  setOverlay(addressesByNode: ReadonlyMap<string, readonly string[]>): void {
    this.#overlayByNode = addressesByNode;
    this.#overlayAddresses = new Set([...addressesByNode.values()].flat());
    this.#nodesByAddress = undefined;
  }

  /** The ranges out of which the pods of all nodes are given their addresses; none where that is not known. */
  setPodRanges(ranges: readonly Range[]): void {
    this.#podRanges = ranges;
  }

  get podRanges(): readonly Range[] {
    return this.#podRanges;
  }

  isOfPodRanges(address: string): boolean {
    const parsed = parseAddress(address);
    return parsed !== undefined && this.#podRanges.some((range) => rangeContains(range, parsed));
  }

  /** Whether it is an address of pods, and it is not known who has it, or what labels his namespace has. */
  isStranger(address: string): boolean {
    return this.isOfPodRanges(address) && !this.isKnown(address);
  }

  /** Whether somebody is known to have `address`: pods, of namespaces that are known, a node, or what is no pod. */
  isKnown(address: string): boolean {
    if (this.#holderByAttachedAddress.get(address) === NO_POD) return true;
    if (this.#overlayAddresses.has(address) || this.nodesAt(address).length > 0) return true;
    const pods = this.podsAt(address);
    return pods.length > 0 && pods.every(({ namespace }) => this.knowsNamespace(namespace));
  }

  /** Every address that somebody may be known to have, some of them twice. */
  *addresses(): Iterable<string> {
    yield* this.#ownersByAddress.keys();
    yield* this.#holderByAttachedAddress.keys();
    yield* this.addressesOfNodes();
  }

  /** Every address of a node, also of those that the API does not know; some of them twice. */
  *addressesOfNodes(): Iterable<string> {
    for (const node of this.#nodeByName.values()) yield* this.nodeAddresses(node);
    yield* this.#overlayAddresses;
  }

  #findNodes(): ReadonlyMap<string, readonly PolicyNode[]> {
    const found = new Map<string, readonly PolicyNode[]>();
    for (const node of this.#nodeByName.values()) {
      for (const address of new Set(this.nodeAddresses(node)))
        found.set(address, [...(found.get(address) ?? []), node]);
    }
    return found;
  }

  nodes(): Iterable<PolicyNode> {
    return this.#nodeByName.values();
  }

  overlayOf(node: PolicyNode): readonly string[] {
    return this.#overlayByNode.get(node.name) ?? [];
  }

  /** Every address by which a node is known. */
  nodeAddresses(node: PolicyNode): readonly string[] {
    return [...node.internalAddresses, ...node.otherAddresses, ...this.overlayOf(node)];
  }

  /** Whether `address` is one of the node of that name, which the API may not know. */
  isOfNode(name: string, address: string): boolean {
    const node = this.#nodeByName.get(name);
    const addresses = node === undefined ? (this.#overlayByNode.get(name) ?? []) : this.nodeAddresses(node);
    return addresses.includes(address);
  }

  nodesAt(address: string): readonly PolicyNode[] {
    this.#nodesByAddress ??= this.#findNodes();
    return this.#nodesByAddress.get(address) ?? [];
  }

  /** Whether `selector` selects `pod`. One with its node's addresses is never selected. */
  selectsPod(selector: PodSelector, pod: PolicyPod): boolean {
    if (pod.hostNetwork) return false;
    return this.selectsNamespace(selector, pod.namespace) && selects(selector.pods, pod.labels);
  }

  /** Whether `selector` may select pods of that namespace. */
  selectsNamespace(selector: PodSelector, namespace: string): boolean {
    if (selector.namespace !== undefined) return selector.namespace === namespace;
    return selector.namespaces.length === 0 || selects(selector.namespaces, this.namespaceLabels(namespace));
  }
}

/** To whom addresses are attached: a pod, something that is no pod, or nobody knows whom. */
export type Holder = Pick<PolicyPod, 'namespace' | 'name'> | 'no-pod' | 'unknown';

/** Of something that is no pod. No pod has such a key. */
const NO_POD = 'no-pod';

function holderKey(holder: Holder): string {
  return typeof holder === 'string' ? holder : podKey(holder);
}

/** `namespace/name`. */
export function podKey({ namespace, name }: Pick<PolicyPod, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

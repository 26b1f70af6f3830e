import type { Family } from '../../base/address.ts';
import { type Range, sameRange } from '../../base/range.ts';
import type { DropSettings } from '../../linux/policy-rules.ts';
import type { PolicyRuleSet, PolicySet } from '../../linux/policy-table.ts';
import { type PolicyNamespace, type PolicyNode, sameNode } from '../model/cluster-objects.ts';
import { sameLabels } from '../model/labels.ts';
import { type PolicyPod, samePod } from '../model/pod.ts';
import { type Direction, type Policy, policyTitle } from '../model/policy.ts';
import { AddressSets } from './address-sets.ts';
import { type AttachmentChange, Attachments, type LocalLink, type PodAttachment } from './attachments.ts';
import { type Chain, Chains } from './chain.ts';
import { ClusterIndex } from './cluster-index.ts';
import { ContentNames } from './content-names.ts';
import type { Judged } from './decide.ts';
import { decidedLinks, type WaitingLink, waitingLinks } from './decided-links.ts';
import { type Governed, governedBy } from './governed-by.ts';
import { KnownAddresses } from './known-addresses.ts';
import { LinkProfiles } from './link-profiles.ts';
import { familyOf, type LiveSet, LiveSets } from './live-set.ts';
import { PodSets, PortGroups } from './pod-sets.ts';
import { PolicyIndex } from './policy-index.ts';
import { type CompiledPolicy, type DropTag, type Profile, ProfileCompiler } from './profile-compiler.ts';
import type { Shape, Workshop } from './rule-compiler.ts';

/** What changed in a collection; the same as `Delta` of kube/. */
export interface Changes<T> {
  readonly gone: readonly T[];
  readonly added: readonly T[];
  readonly changed: readonly { readonly before: T; readonly after: T }[];
}

/**
 * Makes the rule set of this node: it is told what changes in the cluster and at the node's links, and gives the rules
 * that follow, of which all that did not change is the same object as before.
 *
 * Only policies that select a pod of this node are compiled, and only selectors of those are evaluated. A change of a pod
 * costs an evaluation for each selector that could see it; a change of a policy compiles this one policy, and the chains
 * of the pods that it selects.
 *
 * A link is decided once the API has told of its pod, or if no policy may select a pod of that namespace. It stays
 * decided, under the last labels of its pod and of its namespace, until it is gone, even where the API has them no more.
 * Where a ClusterNetworkPolicy may ask for labels of its namespace, these must have been told, too.
 */
export class PolicyCompiler {
  readonly #cluster = new ClusterIndex();
  readonly #policies = new PolicyIndex();
  readonly #attachments: Attachments;
  readonly #names = new ContentNames();
  readonly #sets = new LiveSets(this.#names);
  readonly #podSets = new PodSets(this.#cluster, this.#sets);
  readonly #addressSets = new AddressSets(this.#cluster, this.#sets);
  readonly #known = new KnownAddresses(this.#cluster, this.#sets);
  readonly #chains = new Chains(this.#names);
  readonly #profiles: ProfileCompiler;
  readonly #links = new LinkProfiles();
  /** Namespaces that the API has no more, whose labels hold until the last link of their pods is gone. */
  readonly #goneNamespaces = new Set<string>();
  /** Links whose chains must be looked at again. */
  readonly #stale = new Set<string>();
  readonly #versionByShape = new Map<Shape, number>();
  #families: readonly Family[] = [];
  #setsInUse: readonly LiveSet[] = [];
  #governed: Governed | undefined;
  #rules: PolicyRuleSet;
  /** Something but the elements of sets may have changed. */
  #isLayoutStale = true;
  #isStale = true;

  /** `node` is this node's name in the API. */
  constructor(node: string, drops: DropSettings) {
    this.#attachments = new Attachments(this.#cluster, node);
    this.#profiles = new ProfileCompiler(drops, this.#workshop());
    const none = new Map<string, never>();
    this.#rules = {
      decided: new Set(),
      chainsByLink: none,
      addressesByLink: none,
      chains: none,
      sets: none,
      drops,
    };
  }

  #workshop(): Workshop {
    return {
      podSets: this.#podSets,
      addressSets: this.#addressSets,
      known: this.#known,
      chains: this.#chains,
      liveSets: this.#sets,
      families: this.#families,
    };
  }

  /** What `decide` takes, as it is now. */
  get judged(): Judged {
    return { cluster: this.#cluster, policies: this.#policies };
  }

  /** Pods of the whole cluster came, went or changed. */
  changePods({ gone, added, changed }: Changes<PolicyPod>): void {
    for (const pod of gone) this.#removePod(pod);
    for (const pod of added) this.#putPod(pod);
    for (const { after } of changed) this.#putPod(after);
  }

  #putPod(pod: PolicyPod): void {
    const before = this.#cluster.pod(pod.namespace, pod.name);
    if (before !== undefined && before.uid !== pod.uid) this.#removePod(before);
    else if (before !== undefined && samePod(before, pod)) return;
    const addresses = new Set(before && this.#cluster.addressesOf(before));
    this.#cluster.putPod(pod);
    for (const address of this.#cluster.addressesOf(pod)) addresses.add(address);
    this.#podChanged(pod, addresses);
  }

  #removePod(pod: PolicyPod): void {
    const known = this.#cluster.pod(pod.namespace, pod.name);
    if (known === undefined || known.uid !== pod.uid) return;
    const addresses = new Set(this.#cluster.addressesOf(known));
    this.#cluster.removePod(known);
    this.#podChanged(known, addresses);
  }

  #podChanged(pod: PolicyPod, addresses: Set<string>): void {
    this.#isStale = true;
    if (!this.#cluster.knowsNamespace(pod.namespace)) this.#governed = undefined;
    this.#podSets.update(addresses, new Set([pod.namespace]));
    this.#known.update(addresses);
    for (const local of this.#attachments.candidates(pod)) this.#resolve(local);
  }

  #resolve(local: LocalLink): void {
    const claimants = this.#claimants(local);
    const before = local.pod;
    if (this.#attachments.resolve(local)) this.#linkChanged(local, claimants, before);
  }

  /** Whoever has a link has its addresses, and not those that the API tells of him. */
  #linkChanged(local: LocalLink, namespacesBefore: ReadonlySet<string>, before?: PolicyPod): void {
    this.#isStale = true;
    this.#isLayoutStale = true;
    this.#stale.add(local.attachment.link);
    const told = [before, local.pod].flatMap((pod) => pod?.addresses ?? []);
    const namespaces = new Set([...namespacesBefore, ...this.#claimants(local)]);
    const addresses = new Set([...local.addresses, ...told]);
    this.#podSets.update(addresses, namespaces);
    this.#known.update(addresses);
  }

  #claimants({ addresses, pod }: LocalLink): ReadonlySet<string> {
    const pods = addresses.flatMap((address) => this.#cluster.claimantsOf(address));
    return new Set([...pods, ...(pod === undefined ? [] : [pod])].map(({ namespace }) => namespace));
  }

  /** The links of this node, all of them. */
  setAttachments(attachments: readonly PodAttachment[]): void {
    this.changeAttachments(this.#attachments.differenceTo(attachments));
  }

  /** Links of this node came, went or are of others. */
  changeAttachments(change: AttachmentChange<PodAttachment>): void {
    const claimants = new Map<LocalLink, ReadonlySet<string>>();
    for (const link of [...change.gone, ...change.put.map((each) => each.link)]) {
      const local = this.#attachments.get(link);
      if (local !== undefined) claimants.set(local, this.#claimants(local));
    }
    const { came, went } = this.#attachments.change(change);
    for (const local of went) this.#linkChanged(local, claimants.get(local) ?? new Set());
    for (const local of came) {
      this.#linkChanged(local, new Set());
      this.#resolve(local);
    }
    if (came.length + went.length > 0) {
      this.#setFamilies();
      const known = [...this.#attachments.links()].filter(({ addresses }) => addresses.length > 0);
      const addressesByLink = new Map(known.map(({ attachment, addresses }) => [attachment.link, addresses]));
      this.#rules = { ...this.#rules, addressesByLink };
    }
    for (const name of this.#goneNamespaces) if (!this.#hangsHere(name)) this.#removeNamespace(name);
  }

  #setFamilies(): void {
    const found = new Set<Family>();
    for (const { addresses } of this.#attachments.links())
      for (const address of addresses) found.add(familyOf(address));
    const families = [...found].sort();
    if (families.join() === this.#families.join()) return;
    this.#families = families;
    this.#profiles.use(this.#workshop());
    this.#allLinksStale();
  }

  #allLinksStale(): void {
    this.#isStale = true;
    this.#isLayoutStale = true;
    for (const { attachment } of this.#attachments.links()) this.#stale.add(attachment.link);
  }

  /** Namespaces came, went or changed. */
  changeNamespaces({ gone, added, changed }: Changes<PolicyNamespace>): void {
    for (const { name } of gone) {
      if (this.#hangsHere(name)) this.#goneNamespaces.add(name);
      else this.#removeNamespace(name);
    }
    for (const namespace of [...added, ...changed.map(({ after }) => after)]) {
      this.#goneNamespaces.delete(namespace.name);
      this.#changeNamespace(namespace.name, () => this.#cluster.putNamespace(namespace));
    }
  }

  /** Whether a pod of that namespace hangs here, be it that the API has it no more. */
  #hangsHere(namespace: string): boolean {
    return [...this.#attachments.links()].some(({ pod }) => pod?.namespace === namespace);
  }

  #removeNamespace(name: string): void {
    this.#goneNamespaces.delete(name);
    this.#changeNamespace(name, () => this.#cluster.removeNamespace(name));
  }

  #changeNamespace(name: string, change: () => void): void {
    const before = this.#cluster.namespaceLabels(name);
    change();
    const after = this.#cluster.namespaceLabels(name);
    this.#governed = undefined;
    this.#isStale = true;
    this.#known.updateNamespace(name);
    if (sameLabels(before, after)) return;
    this.#podSets.updateNamespace(name, before, after);
    for (const { attachment, pod } of this.#attachments.links())
      if (pod?.namespace === name) this.#stale.add(attachment.link);
    this.#isLayoutStale = true;
  }

  /** Nodes came, went or changed. */
  changeNodes({ gone, added, changed }: Changes<PolicyNode>): void {
    for (const { name } of gone) this.#cluster.removeNode(name);
    for (const node of [...added, ...changed.map(({ after }) => after)]) this.#cluster.putNode(node);
    const told = changed.filter(({ before, after }) => !sameNode(before, after));
    if (gone.length + added.length + told.length > 0) this.#nodesChanged();
  }

  /** The addresses of nodes on the overlay, by name, as `formatAddress` writes them. */
  setOverlay(addressesByNode: ReadonlyMap<string, readonly string[]>): void {
    this.#cluster.setOverlay(addressesByNode);
    this.#nodesChanged();
  }

  #nodesChanged(): void {
    this.#addressSets.updateNodes();
    this.#known.updateNodes();
    this.#isStale = true;
  }

  /** The ranges out of which all pods are given their addresses; none where they are not known. */
  setPodRanges(ranges: readonly Range[]): void {
    const before = this.#cluster.podRanges;
    if (ranges.length === before.length && ranges.every((range, i) => sameRange(range, before[i]!))) return;
    this.#cluster.setPodRanges(ranges);
    this.#known.updateRanges();
    this.#isStale = true;
  }

  /** Policies of either kind came, went or changed. */
  changePolicies({ gone, added, changed }: Changes<Policy>): void {
    for (const policy of [...gone, ...changed.map(({ before }) => before)]) {
      this.#markSubjects(policy);
      this.#policies.remove(policy);
    }
    for (const policy of [...added, ...changed.map(({ after }) => after)]) {
      this.#policies.put(policy);
      this.#markSubjects(policy);
    }
    this.#governed = undefined;
    this.#isStale = true;
  }

  #markSubjects({ subject }: Policy): void {
    if (subject === undefined) return;
    for (const { attachment, pod } of this.#attachments.links()) {
      if (pod === undefined || !this.#cluster.selectsPod(subject, pod)) continue;
      this.#stale.add(attachment.link);
      this.#isLayoutStale = true;
    }
  }

  /** The namespaces in which some policy may select a pod. */
  governed(): Governed {
    this.#governed ??= governedBy(this.#cluster, this.#policies);
    return this.#governed;
  }

  /** The rules that follow from all that was told; the same object as long as nothing changed. */
  ruleSet(): PolicyRuleSet {
    if (!this.#isStale) return this.#rules;
    this.#isStale = false;
    for (const [shape, version] of this.#versionByShape) {
      if (shape.version === version) continue;
      this.#allLinksStale();
      break;
    }
    if (this.#isLayoutStale) this.#layOut();
    const decided = this.#decided();
    const sets = new Map<string, PolicySet>();
    for (const set of this.#setsInUse) sets.set(set.name, set.current);
    this.#rules = { ...this.#rules, decided, sets };
    this.#isStale = false;
    return this.#rules;
  }

  /** Makes the chains of stale links, and forgets what no link leads to any more. */
  #layOut(): void {
    for (const link of this.#stale) this.#compileLink(link);
    this.#stale.clear();
    this.#isLayoutStale = false;
    const { chainsByLink } = this.#links;
    this.#rules = { ...this.#rules, chainsByLink };
    const reached = this.#links.reached();
    if (reached === undefined) return;
    const { chains, sets, policies } = reached;
    this.#forget(chains, sets, policies);
    this.#setsInUse = [...sets];
    const rulesByChain = new Map([...chains].map(({ name, rules }) => [name, rules]));
    this.#rules = { ...this.#rules, chains: rulesByChain };
  }

  #forget(
    chains: ReadonlySet<Chain>,
    sets: ReadonlySet<LiveSet>,
    policies: ReadonlySet<CompiledPolicy>,
  ): void {
    this.#versionByShape.clear();
    for (const { versions } of policies)
      for (const { shape, version } of versions) this.#versionByShape.set(shape, version);
    const shapes = this.#versionByShape;
    this.#profiles.keep(policies, (chain) => chains.has(chain));
    this.#chains.keep((chain) => chains.has(chain));
    this.#sets.keep((set) => sets.has(set));
    this.#podSets.keep((part) => (part instanceof PortGroups ? shapes.has(part) : sets.has(part)));
    this.#addressSets.keep((part) => shapes.has(part));
    this.#known.keep(shapes.has(this.#known));
    const names = new Set([...chains, ...sets].map(({ name }) => name));
    this.#names.keep((name) => names.has(name));
  }

  #compileLink(link: string): void {
    const pod = this.#attachments.get(link)?.pod;
    const profileOf = (direction: Direction): Profile | undefined =>
      pod &&
      this.#profiles.profileOf(pod, direction, this.#policies.selecting(this.#cluster, pod, direction));
    const profiles = { egress: profileOf('egress'), ingress: profileOf('ingress') };
    const isJudged = profiles.egress !== undefined || profiles.ingress !== undefined;
    this.#links.put(link, isJudged ? profiles : undefined);
  }

  /** The same set as before, where it holds the same. */
  #decided(): ReadonlySet<string> {
    const decided = decidedLinks(this.#attachments.links(), this.#told());
    const before = this.#rules.decided;
    return decided.size === before.size && [...decided].every((link) => before.has(link)) ? before : decided;
  }

  #told() {
    return { ...this.judged, governed: () => this.governed() };
  }

  /** Links that are not decided. */
  waiting(): readonly WaitingLink[] {
    return waitingLinks(this.#attachments.links(), this.#told());
  }

  /** What could not be honoured, and why, by the titles of policies. Ports are told of policies that select a pod here. */
  unhonoured(): ReadonlyMap<string, readonly string[]> {
    const notes = this.#profiles.notes();
    const told = new Map<string, readonly string[]>();
    for (const policy of this.#policies.all()) {
      const faults = [...policy.faults, ...(notes.get(policy) ?? [])];
      if (faults.length > 0) told.set(policyTitle(policy), faults);
    }
    return told;
  }

  /** The pod that was last known at a link. */
  podAt(link: string): PolicyPod | undefined {
    return this.#attachments.get(link)?.pod;
  }

  /** What the tag in the prefix of a logged packet stands for. */
  dropTag(tag: string): DropTag | undefined {
    return this.#profiles.tag(tag);
  }
}

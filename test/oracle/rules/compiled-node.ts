import { formatAddress, parseAddress } from '../../../base/address.ts';
import { parseCidr } from '../../../base/range.ts';
import { type PolicyRuleSet, renderPolicyTable } from '../../../linux/policy-table.ts';
import type { PodAttachment } from '../../../npc/compiler/attachments.ts';
import { type Changes, PolicyCompiler } from '../../../npc/compiler/policy-compiler.ts';
import { readClusterNetworkPolicy } from '../../../npc/model/cluster-network-policy.ts';
import { readNamespace, readPolicyNode } from '../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../npc/model/labels.ts';
import { readNetworkPolicy } from '../../../npc/model/network-policy.ts';
import { readPod } from '../../../npc/model/pod.ts';
import type { Cluster, Pod } from '../api-objects.ts';
import type { Dice } from '../dice.ts';
import { addressesOf, nameOf } from '../ends.ts';
import { readNftTable } from './nft-text.ts';
import { attachedPods, type RuledNode } from './node-walk.ts';

/** The compiler of one node, which is told whole clusters, one after another. */
export class CompiledNode {
  readonly name: string;
  readonly #compiler: PolicyCompiler;
  readonly #labelSets = new LabelSets();
  #told: Told = { namespaces: [], nodes: [], pods: [], policies: [] };
  #linkByPod = new Map<string, string>();

  /** `isLoud`: denied packets are logged, and what pods begin is answered. */
  constructor(name: string, isLoud = false) {
    this.name = name;
    const log = isLoud ? { group: 86, packetsPerSecond: 10 } : undefined;
    this.#compiler = new PolicyCompiler(name, { reject: isLoud, log });
  }

  /**
   * Tells what is different in this cluster from the one that was told before, one kind of object after another, in any
   * order, and asks now and then for the rules meanwhile; the rules that follow from all.
   *
   * @param isApiBehind The API does not know yet which addresses the pods of this node were given.
   */
  become(cluster: Cluster, dice: Dice, isApiBehind = false): PolicyRuleSet {
    const attached = attachedPods(cluster, this.name);
    const toldPods = cluster.pods.map((pod) =>
      isApiBehind && attached.includes(pod) ? { ...pod, status: { phase: 'Pending' } } : pod,
    );
    const labels = this.#labelSets;
    const before = this.#told;
    const now: Told = {
      namespaces: defined(cluster.namespaces.map((one) => readNamespace(one, labels))),
      nodes: defined(cluster.nodes.map((one) => readPolicyNode(one, labels))),
      pods: defined(toldPods.map((one) => readPod(one, labels))),
      policies: defined([
        ...cluster.networkPolicies.map((one) => readNetworkPolicy(one)),
        ...cluster.clusterNetworkPolicies.map((one) => readClusterNetworkPolicy(one)),
      ]),
    };
    this.#linkByPod = new Map(attached.map((pod) => [nameOf(pod), linkOf(pod)]));
    const compiler = this.#compiler;
    const steps = [
      () =>
        compiler.changePolicies(
          changes(
            before.policies,
            now.policies,
            ({ kind, namespace, name }) => `${kind} ${namespace} ${name}`,
          ),
        ),
      () =>
        compiler.changePods(changes(before.pods, now.pods, ({ namespace, name }) => `${namespace}/${name}`)),
      () => compiler.changeNodes(changes(before.nodes, now.nodes, ({ name }) => name)),
      () => compiler.changeNamespaces(changes(before.namespaces, now.namespaces, ({ name }) => name)),
      () => compiler.setOverlay(overlayOf(cluster)),
      () => compiler.setPodRanges((cluster.podRanges ?? []).map((cidr) => parseCidr(cidr)!)),
      () => compiler.setAttachments(attached.map(attachmentOf)),
    ];
    for (const step of dice.shuffled(steps)) {
      step();
      if (dice.chance(30)) compiler.ruleSet();
    }
    this.#told = now;
    return this.#compiler.ruleSet();
  }

  /** Whether it takes a namespace for one in which a policy may select a pod. */
  governs(namespace: string): boolean {
    const { all, namespaces } = this.#compiler.governed();
    return all || namespaces.has(namespace);
  }

  /** The whole table as nft would be given it, and the links that are in it. */
  ruled(): RuledNode {
    const text = renderPolicyTable(this.#compiler.ruleSet());
    return { name: this.name, table: readNftTable(text), linkByPod: this.#linkByPod };
  }
}

interface Told {
  readonly namespaces: readonly NonNullable<ReturnType<typeof readNamespace>>[];
  readonly nodes: readonly NonNullable<ReturnType<typeof readPolicyNode>>[];
  readonly pods: readonly NonNullable<ReturnType<typeof readPod>>[];
  readonly policies: readonly NonNullable<ReturnType<typeof readNetworkPolicy>>[];
}

function overlayOf({ overlayAddressesByNode }: Cluster): Map<string, string[]> {
  return new Map(
    Object.entries(overlayAddressesByNode).map(([node, addresses]) => [
      node,
      addresses.map((address) => formatAddress(parseAddress(address)!)),
    ]),
  );
}

function attachmentOf(pod: Pod): PodAttachment {
  return {
    link: linkOf(pod),
    addresses: addressesOf(pod).map((address) => parseAddress(address)!),
    pod: { namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    ungoverned: false,
  };
}

/** The link of a pod: `wv` and 11 hex digits. One that is made anew has another. */
function linkOf({ metadata: { uid } }: Pod): string {
  const hash = [...uid].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2 ** 44, 7);
  return `wv${hash.toString(16).padStart(11, '0')}`;
}

function changes<T>(before: readonly T[], now: readonly T[], keyOf: (item: T) => string): Changes<T> {
  const then = new Map(before.map((item) => [keyOf(item), item]));
  const after = new Map(now.map((item) => [keyOf(item), item]));
  return {
    gone: before.filter((item) => !after.has(keyOf(item))),
    added: now.filter((item) => !then.has(keyOf(item))),
    changed: now.flatMap((item) =>
      then.has(keyOf(item)) ? [{ before: then.get(keyOf(item))!, after: item }] : [],
    ),
  };
}

function defined<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}

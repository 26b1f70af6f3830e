import { parseAddress } from '../../base/address.ts';
import { renderPolicyChange } from '../../linux/policy-change.ts';
import { type PolicyRuleSet, renderPolicyTable } from '../../linux/policy-table.ts';
import { type Changes, PolicyCompiler } from '../../npc/compiler/policy-compiler.ts';
import { readNamespace } from '../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../npc/model/labels.ts';
import { readNetworkPolicy } from '../../npc/model/network-policy.ts';
import { readPod } from '../../npc/model/pod.ts';
import { run } from '../../test/cluster/command.ts';
import type { Namespace } from '../../test/netns/namespaces.ts';
import { type BenchPod, NODE } from './policy-cluster.ts';

const DROPS = { reject: false, log: { group: 86, packetsPerSecond: 10 } };

/** The policies of a node, as npc has them: the compiler, and what nft has loaded. */
export class PolicyNode {
  readonly compiler = new PolicyCompiler(NODE, DROPS);
  readonly #labels = new LabelSets();
  readonly #namespace: Namespace;
  #loaded: PolicyRuleSet | undefined;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  namespaces(objects: readonly object[]): void {
    this.compiler.changeNamespaces(added(objects.map((each) => readNamespace(each, this.#labels)!)));
  }

  pods(pods: readonly BenchPod[]): void {
    this.compiler.changePods(added(pods.map(({ object }) => readPod(object, this.#labels)!)));
  }

  changePod(before: BenchPod, after: BenchPod): void {
    const [from, to] = [before, after].map(({ object }) => readPod(object, this.#labels)!);
    this.compiler.changePods({ gone: [], added: [], changed: [{ before: from!, after: to! }] });
  }

  policies(objects: readonly object[]): void {
    this.compiler.changePolicies(added(objects.map((each) => readNetworkPolicy(each)!)));
  }

  changePolicy(before: object, after: object): void {
    const [from, to] = [before, after].map((each) => readNetworkPolicy(each)!);
    this.compiler.changePolicies({ gone: [], added: [], changed: [{ before: from!, after: to! }] });
  }

  attach(pods: readonly BenchPod[]): void {
    this.compiler.setAttachments(
      pods.map(({ link, addresses, namespace, name, uid }) => ({
        link,
        addresses: addresses.map((text) => parseAddress(text)!),
        pod: { namespace, name, uid },
        ungoverned: false,
      })),
    );
  }

  /** Loads what changed; all of it where `whole` says so, or nothing is loaded yet. */
  async load(whole = false): Promise<void> {
    const rules = this.compiler.ruleSet();
    const text =
      whole || this.#loaded === undefined
        ? renderPolicyTable(rules)
        : renderPolicyChange(this.#loaded, rules);
    if (text !== '')
      await run(['nft', '-f', '-'], { namespace: this.#namespace.name, input: text, timeoutMs: 60_000 });
    this.#loaded = rules;
  }
}

function added<T>(values: readonly T[]): Changes<T> {
  return { gone: [], added: values, changed: [] };
}

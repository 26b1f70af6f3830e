import type { PolicyPod } from '../model/pod.ts';
import type { Direction, Policy, PolicyRule } from '../model/policy.ts';
import type { ClusterIndex } from './cluster-index.ts';

/** A policy in one direction, as it applies to a pod. */
export interface DirectedPolicy {
  readonly policy: Policy;
  readonly direction: Direction;
  readonly rules: readonly PolicyRule[];
}

/** The policies that select one pod in one direction, by tier, each in the order in which it is asked. */
export interface SelectingPolicies {
  readonly Admin: readonly DirectedPolicy[];
  readonly NetworkPolicy: readonly DirectedPolicy[];
  readonly Baseline: readonly DirectedPolicy[];
}

/** All policies, found by the namespace of the pods they may select. */
export class PolicyIndex {
  readonly #byNamespace = new Map<string, Map<string, Policy>>();
  /** Of namespace ''. */
  readonly #clusterWide = new Map<string, Policy>();

  /** Takes in a policy, in place of an earlier one of the same kind and name. */
  put(policy: Policy): void {
    if (policy.kind === 'ClusterNetworkPolicy') {
      this.#clusterWide.set(policy.name, policy);
      return;
    }
    const policies = this.#byNamespace.get(policy.namespace) ?? new Map<string, Policy>();
    this.#byNamespace.set(policy.namespace, policies);
    policies.set(policy.name, policy);
  }

  /** The policy of that kind and name is gone. */
  remove(policy: Policy): void {
    if (policy.kind === 'ClusterNetworkPolicy') {
      this.#clusterWide.delete(policy.name);
      return;
    }
    const policies = this.#byNamespace.get(policy.namespace);
    policies?.delete(policy.name);
    if (policies?.size === 0) this.#byNamespace.delete(policy.namespace);
  }

  *all(): Iterable<Policy> {
    for (const policies of this.#byNamespace.values()) yield* policies.values();
    yield* this.#clusterWide.values();
  }

  clusterWide(): Iterable<Policy> {
    return this.#clusterWide.values();
  }

  get hasClusterWide(): boolean {
    return this.#clusterWide.size > 0;
  }

  /** Namespaces that have policies of their own. */
  namespaceNames(): Iterable<string> {
    return this.#byNamespace.keys();
  }

  /** The policies that select `pod` in `direction`. */
  selecting(cluster: ClusterIndex, pod: PolicyPod, direction: Direction): SelectingPolicies {
    const found = { Admin: [], NetworkPolicy: [], Baseline: [] } as Record<
      keyof SelectingPolicies,
      DirectedPolicy[]
    >;
    const own = this.#byNamespace.get(pod.namespace)?.values() ?? [];
    for (const policies of [own, this.#clusterWide.values()]) {
      for (const policy of policies) {
        const rules = policy.rules[direction];
        if (rules === undefined || policy.subject === undefined) continue;
        if (cluster.selectsPod(policy.subject, pod)) found[policy.tier].push({ policy, direction, rules });
      }
    }
    for (const policies of Object.values(found)) policies.sort(byPrecedence);
    return found;
  }

  /** A copy to which policies may be added that are not applied yet. */
  with(policies: readonly Policy[]): PolicyIndex {
    const copy = new PolicyIndex();
    for (const policy of this.all()) copy.put(policy);
    for (const policy of policies) copy.put(policy);
    return copy;
  }
}

/** By priority; where two have the same, which the API leaves open, by name. */
function byPrecedence({ policy: a }: DirectedPolicy, { policy: b }: DirectedPolicy): number {
  return a.priority - b.priority || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

import { type RandomSource, randomBelow } from '../../../base/random.ts';
import type { Lab } from '../harness/lab.ts';
import { agentPod, type ChurnPod, clusterNetworkPolicy, networkPolicy } from './manifests.ts';
import { AGENT_PORTS } from './policy-prober.ts';
import {
  type ClusterPolicy,
  type ClusterRule,
  type Peer,
  PLACES,
  type Policy,
  type Rule,
} from './policy-shapes.ts';
import { History, type Pod, type PolicyTruth } from './policy-truth.ts';

export const NAMESPACES = ['chaos-a', 'chaos-b', 'chaos-c'];
const ROLES = ['web', 'api', 'db'];
const TEAMS = ['red', 'blue'];
/** Changes that messages name. */
const TOLD_CHANGES = 4;
const POLICY_NAMES = ['one', 'two', 'three'];

/** Changes a cluster at random, and tells the truth of each change before and after. */
export class PolicyChurn {
  /** Pods by `namespace/name` that were asked for and not taken back. */
  readonly pods = new Map<string, ChurnPod>();
  /** How often each kind of change was made. */
  readonly counts: Record<string, number> = {};
  /** All that was asked of the API. */
  readonly requests: { readonly begun: string; readonly taken: string; readonly change: object }[] = [];
  /** What was changed of late, when that was begun and how long it took, for messages. */
  readonly lastChanges: string[] = [];
  readonly #lab: Lab;
  readonly #truth: PolicyTruth;
  readonly #random: RandomSource;
  readonly #maxPods: number;
  readonly #podOf: (key: string) => Pod | undefined;
  /** Since when nothing can be told of a namespace, as it is deleted. */
  readonly #goneSince = new Map<string, number>();
  readonly #backSince = new Map<string, number>();
  #made = 0;

  /** `podOf` finds the pod that has `namespace/name` now. */
  constructor(
    lab: Lab,
    options: {
      readonly truth: PolicyTruth;
      readonly random: RandomSource;
      readonly maxPods: number;
      readonly podOf: (key: string) => Pod | undefined;
    },
  ) {
    this.#lab = lab;
    this.#truth = options.truth;
    this.#random = options.random;
    this.#maxPods = options.maxPods;
    this.#podOf = options.podOf;
  }

  /** Makes the namespaces. */
  async begin(): Promise<void> {
    for (const namespace of NAMESPACES) await this.#makeNamespace(namespace);
  }

  /** Whether a packet of that time, of a pod in the namespace, can not be judged, since the namespace came or went. */
  isUncertain(namespace: string, at: number): boolean {
    const gone = this.#goneSince.get(namespace);
    return gone !== undefined && at >= gone && at < (this.#backSince.get(namespace) ?? Infinity);
  }

  /** Makes one change. */
  async step(nodes: readonly string[]): Promise<void> {
    const room = this.pods.size < this.#maxPods;
    const changes: readonly (readonly [weight: number, name: string, change: () => Promise<void>])[] = [
      [room ? 30 : 0, 'pod made', () => this.#makePod(nodes)],
      [room ? 5 : 20, 'pod deleted', () => this.#deletePod(nodes)],
      [15, 'pod labelled', () => this.#labelPod()],
      [30, 'policy set', () => this.#setPolicy()],
      [10, 'policy deleted', () => this.#deletePolicy()],
      [12, 'cluster policy set', () => this.#setClusterPolicy()],
      [8, 'cluster policy deleted', () => this.#deleteClusterPolicy()],
      [6, 'namespace labelled', () => this.#labelNamespace()],
      [1, 'namespace replaced', () => this.#replaceNamespace()],
    ];
    let ticket = randomBelow(
      this.#random,
      changes.reduce((sum, [weight]) => sum + weight, 0),
    );
    for (const [weight, name, change] of changes) {
      if (ticket < weight) {
        this.counts[name] = (this.counts[name] ?? 0) + 1;
        const begun = Date.now();
        await change();
        // How long that took tells how busy the machine is.
        this.lastChanges.unshift(`${name} at ${new Date(begun).toISOString()} in ${Date.now() - begun} ms`);
        this.lastChanges.length = Math.min(this.lastChanges.length, TOLD_CHANGES);
        return;
      }
      ticket -= weight;
    }
  }

  /** Adds pods until there are as many as may be. */
  async fill(nodes: readonly string[]): Promise<void> {
    while (this.pods.size < this.#maxPods) await this.#makePod(nodes);
  }

  async #makeNamespace(name: string): Promise<void> {
    const team = this.#pick(TEAMS);
    const history = this.#truth.teamByNamespace.get(name) ?? new History(team);
    this.#truth.teamByNamespace.set(name, history);
    const taken = history.change(team, Date.now());
    await this.#apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team } } });
    taken(Date.now());
    // A pod is refused until its service account is there.
    const args = ['wait', '--for=create', 'serviceaccount/default', '-n', name, '--timeout=30s'];
    await this.#kubectl(args);
  }

  async #makePod(nodes: readonly string[]): Promise<void> {
    const pod = {
      namespace: this.#pick(NAMESPACES),
      name: `p${++this.#made}`,
      node: this.#pick(nodes),
      role: this.#pick(ROLES),
    };
    this.pods.set(`${pod.namespace}/${pod.name}`, pod);
    await this.#apply(agentPod(pod));
  }

  async #deletePod(nodes: readonly string[]): Promise<void> {
    const there = [...this.pods.values()].filter(({ node }) => nodes.includes(node));
    if (there.length === 0) return;
    const { namespace, name } = this.#pick(there);
    this.pods.delete(`${namespace}/${name}`);
    const pod = this.#podOf(`${namespace}/${name}`);
    if (pod !== undefined) pod.deletedAt = Date.now();
    const force = randomBelow(this.#random, 3) === 0 ? ['--force', '--grace-period=0'] : [];
    await this.#kubectl(['delete', 'pod', name, '-n', namespace, '--wait=false', ...force]);
  }

  async #labelPod(): Promise<void> {
    const there = [...this.pods.keys()].flatMap((key) => this.#podOf(key) ?? []);
    if (there.length === 0) return;
    const { namespace, name, role } = this.#pick(there);
    const value = this.#pick(ROLES);
    const taken = role.change(value, Date.now());
    await this.#kubectl(['label', 'pod', name, '-n', namespace, '--overwrite', `role=${value}`]);
    taken(Date.now());
  }

  async #labelNamespace(): Promise<void> {
    const name = this.#pick(NAMESPACES);
    const team = this.#pick(TEAMS);
    const taken = this.#truth.teamByNamespace.get(name)!.change(team, Date.now());
    await this.#kubectl(['label', 'namespace', name, '--overwrite', `team=${team}`]);
    taken(Date.now());
  }

  async #setPolicy(): Promise<void> {
    const policy = this.#somePolicy();
    const taken = this.#policy(policy.namespace, policy.name).change(policy, Date.now());
    await this.#apply(networkPolicy(policy));
    taken(Date.now());
  }

  async #deletePolicy(): Promise<void> {
    const there = [...this.#truth.policyByKey.values()].flatMap(({ last }) => last ?? []);
    if (there.length === 0) return;
    const { namespace, name } = this.#pick(there);
    const taken = this.#policy(namespace, name).change(undefined, Date.now());
    await this.#kubectl(['delete', 'networkpolicy', name, '-n', namespace, '--ignore-not-found']);
    taken(Date.now());
  }

  async #setClusterPolicy(): Promise<void> {
    const policy = this.#someClusterPolicy();
    const taken = this.#clusterPolicy(policy.name).change(policy, Date.now());
    await this.#apply(clusterNetworkPolicy(policy));
    taken(Date.now());
  }

  async #deleteClusterPolicy(): Promise<void> {
    const there = [...this.#truth.clusterPolicyByName.values()].flatMap(({ last }) => last ?? []);
    if (there.length === 0) return;
    const { name } = this.#pick(there);
    const taken = this.#clusterPolicy(name).change(undefined, Date.now());
    await this.#kubectl(['delete', 'clusternetworkpolicy', name, '--ignore-not-found']);
    taken(Date.now());
  }

  /** Deletes a namespace with all that is in it, which goes in any order, and makes it again. */
  async #replaceNamespace(): Promise<void> {
    const name = this.#pick(NAMESPACES);
    this.#backSince.delete(name);
    this.#goneSince.set(name, Date.now());
    for (const [key, { namespace }] of this.pods) if (namespace === name) this.pods.delete(key);
    const settled = [...this.#truth.policyByKey.values()]
      .filter(({ last }) => last?.namespace === name)
      .map((history) => history.change(undefined, Date.now()));
    await this.#kubectl(['delete', 'namespace', name, '--timeout=100s'], { timeoutMs: 110_000 });
    for (const taken of settled) taken(Date.now());
    await this.#makeNamespace(name);
    this.#backSince.set(name, Date.now());
  }

  #policy(namespace: string, name: string): History<Policy | undefined> {
    const key = `${namespace}/${name}`;
    const history = this.#truth.policyByKey.get(key) ?? new History<Policy | undefined>(undefined);
    this.#truth.policyByKey.set(key, history);
    return history;
  }

  #clusterPolicy(name: string): History<ClusterPolicy | undefined> {
    const history =
      this.#truth.clusterPolicyByName.get(name) ?? new History<ClusterPolicy | undefined>(undefined);
    this.#truth.clusterPolicyByName.set(name, history);
    return history;
  }

  #somePolicy(): Policy {
    const directions = 1 + randomBelow(this.#random, 3);
    return {
      namespace: this.#pick(NAMESPACES),
      name: this.#pick(POLICY_NAMES),
      ...(this.#chance() ? { role: this.#pick(ROLES) } : {}),
      ...(directions & 1 ? { ingress: this.#someRules() } : {}),
      ...(directions & 2 ? { egress: this.#someRules() } : {}),
    };
  }

  #someRules(): Rule[] {
    return Array.from({ length: randomBelow(this.#random, 3) }, () => ({
      peers: Array.from({ length: randomBelow(this.#random, 3) }, () => this.#somePeer()),
      ports: this.#chance() ? [] : [this.#pick(AGENT_PORTS)],
    }));
  }

  #someClusterPolicy(): ClusterPolicy {
    const directions = 1 + randomBelow(this.#random, 3);
    return {
      name: this.#pick(PLACES).name,
      // Nobody else's pods: only those of the churn have such labels.
      subject: this.#somePeer(),
      ...(directions & 1 ? { ingress: this.#someClusterRules() } : {}),
      ...(directions & 2 ? { egress: this.#someClusterRules() } : {}),
    };
  }

  #someClusterRules(): ClusterRule[] {
    return Array.from({ length: 1 + randomBelow(this.#random, 3) }, () => ({
      action: this.#pick(['Accept', 'Deny', 'Pass'] as const),
      peers: Array.from({ length: 1 + randomBelow(this.#random, 2) }, () =>
        randomBelow(this.#random, 4) === 0 ? {} : this.#somePeer(),
      ),
      ports: this.#chance() ? [] : [this.#pick(AGENT_PORTS)],
    }));
  }

  #somePeer(): Peer {
    const kind = randomBelow(this.#random, 3);
    return {
      ...(kind !== 0 ? { role: this.#pick(ROLES) } : {}),
      ...(kind !== 1 ? { team: this.#pick(TEAMS) } : {}),
    };
  }

  async #apply(object: object): Promise<void> {
    await this.#noted(object, () => this.#lab.apply(object));
  }

  async #kubectl(args: readonly string[], options: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.#noted(args, () => this.#lab.kubectl.run(args, options));
  }

  async #noted(change: object, work: () => Promise<unknown>): Promise<void> {
    const begun = new Date().toISOString();
    await work();
    this.requests.push({ begun, taken: new Date().toISOString(), change });
  }

  #chance(): boolean {
    return randomBelow(this.#random, 2) === 0;
  }

  #pick<T>(items: readonly T[]): T {
    return items[randomBelow(this.#random, items.length)]!;
  }
}

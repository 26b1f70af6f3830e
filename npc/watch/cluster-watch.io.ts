import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import type { ApiClient } from '../../kube/api-client.io.ts';
import type { ApiError } from '../../kube/api-error.ts';
import { type ApiFaults, remedyOf } from '../../kube/api-faults.ts';
import type { ListWatchOptions } from '../../kube/list-watch.ts';
import type { Delta } from '../../kube/object-store.ts';
import type { ObjectMeta } from '../../kube/objects.ts';
import { Reflector } from '../../kube/reflector.io.ts';
import { readClusterNetworkPolicy } from '../model/cluster-network-policy.ts';
import {
  type PolicyNamespace,
  type PolicyNode,
  readNamespace,
  readPolicyNode,
} from '../model/cluster-objects.ts';
import { LabelSets } from '../model/labels.ts';
import { readNetworkPolicy } from '../model/network-policy.ts';
import { type PolicyPod, readPod } from '../model/pod.ts';
import type { Policy } from '../model/policy.ts';
import { OptionalCollection } from './optional-collection.io.ts';

/** What is followed of a cluster, by its name in the API. */
interface ClusterKinds {
  readonly namespaces: PolicyNamespace;
  readonly nodes: PolicyNode;
  readonly pods: PolicyPod;
  readonly networkpolicies: Policy;
  readonly clusternetworkpolicies: Policy;
}

type Kind = keyof ClusterKinds;

/** Pods that have ended and those of the host's network matter to nobody here. One that ends comes as one that is gone. */
const LIVING_PODS = 'spec.hostNetwork=false,status.phase!=Succeeded,status.phase!=Failed';

/** How far a kind is known. */
export interface KindState {
  readonly kind: Kind;
  /** Undefined where the API does not serve it. */
  readonly version: string | undefined;
  readonly complete: boolean;
  readonly objects: number;
}

interface ClusterWatchOptions {
  readonly client: ApiClient;
  readonly random: RandomSource;
  /** Monotonic. */
  readonly now: () => Instant;
  /** What does not work is noted there, by kind. */
  readonly faults: ApiFaults;
  /** Who takes what changed of each kind, also while the first lists are under way. Never empty. */
  readonly takers: { readonly [K in Kind]: (delta: Delta<ClusterKinds[K]>) => void };
  /** All kinds are complete for the first time. Called once. */
  readonly onComplete: () => void;
  /** A kind is not kept up to date. What is known stays in use. */
  readonly onFault: (kind: string, error: ApiError, remedy: string) => void;
  /** All kinds are kept up to date again. */
  readonly onServed: () => void;
}

/** Follows all that policies are made of: pods, namespaces, nodes, and the policies of both kinds. */
export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #labelSets = new LabelSets();
  readonly #stateByKind = new Map<Kind, { complete: boolean; objects: number }>();
  readonly #collections: readonly { run(): Promise<void>; stop(): void }[];
  readonly #clusterPolicies: OptionalCollection<Policy>;
  readonly #ailing = new Set<Kind>();
  #isComplete = false;

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
    const { client } = options;
    const labelSets = this.#labelSets;
    const core = (kind: 'namespaces' | 'nodes' | 'pods'): string => `/api/v1/${kind}`;
    this.#clusterPolicies = new OptionalCollection({
      client,
      group: 'policy.networking.k8s.io',
      versions: ['v1beta1', 'v1alpha2'],
      plural: 'clusternetworkpolicies',
      ...this.#following('clusternetworkpolicies', readClusterNetworkPolicy),
    });
    this.#collections = [
      new Reflector({
        client,
        path: core('namespaces'),
        ...this.#following('namespaces', (value) => readNamespace(value, labelSets)),
      }),
      new Reflector({
        client,
        path: core('nodes'),
        ...this.#following('nodes', (value) => readPolicyNode(value, labelSets)),
      }),
      new Reflector({
        client,
        path: core('pods'),
        fieldSelector: LIVING_PODS,
        // Older servers do not know spec.hostNetwork there.
        isFieldSelectorOptional: true,
        ...this.#following('pods', (value) => {
          const pod = readPod(value, labelSets);
          return pod === undefined || pod.hostNetwork || pod.hasEnded ? undefined : pod;
        }),
      }),
      new Reflector({
        client,
        path: '/apis/networking.k8s.io/v1/networkpolicies',
        ...this.#following('networkpolicies', readNetworkPolicy),
      }),
      this.#clusterPolicies,
    ];
  }

  /** Follows until {@link stop}. */
  start(): void {
    for (const collection of this.#collections) void collection.run(); // a rejection is a bug, and ends the process
  }

  stop(): void {
    for (const collection of this.#collections) collection.stop();
  }

  /** All kinds were complete once. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** It is complete, and kept up to date as far as is known. */
  get isCurrent(): boolean {
    return this.#isComplete && this.#ailing.size === 0;
  }

  kinds(): KindState[] {
    return [...this.#stateByKind].map(([kind, { complete, objects }]) => ({
      kind,
      version: kind === 'clusternetworkpolicies' ? this.#clusterPolicies.version : 'v1',
      complete,
      objects,
    }));
  }

  #following<K extends Kind>(
    kind: K,
    read: ListWatchOptions<ClusterKinds[K]>['read'],
  ): Pick<ListWatchOptions<ClusterKinds[K]>, 'read' | 'random'> & {
    readonly onDelta: (delta: Delta<ClusterKinds[K] & ObjectMeta>) => void;
    readonly onSynced: () => void;
    readonly onFault: (error: ApiError) => void;
    readonly onServed: () => void;
  } {
    const { random, now, takers, faults, onFault } = this.#options;
    const take: (delta: Delta<ClusterKinds[K]>) => void = takers[kind];
    const state = { complete: false, objects: 0 };
    this.#stateByKind.set(kind, state);
    return {
      read,
      random,
      onDelta: (delta) => {
        state.objects += delta.added.length - delta.gone.length;
        take(delta);
      },
      onSynced: () => {
        state.complete = true;
        this.#completed();
      },
      onFault: (error) => {
        this.#ailing.add(kind);
        faults.failed(kind, error, now());
        onFault(kind, error, remedyOf(error));
      },
      onServed: () => {
        faults.granted(kind);
        if (this.#ailing.delete(kind) && this.#ailing.size === 0) this.#options.onServed();
      },
    };
  }

  #completed(): void {
    if (this.#isComplete || [...this.#stateByKind.values()].some(({ complete }) => !complete)) return;
    this.#isComplete = true;
    this.#options.onComplete();
  }
}

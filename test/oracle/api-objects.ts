/**
 * The objects a policy is about, as the API gives them in JSON: only the fields that count, and each of them as wide
 * as JSON allows it to be. A field that is `null` is a field that is not there.
 */

type Optional<T> = T | null | undefined;

export type Labels = Readonly<Record<string, string>>;

export interface LabelSelector {
  readonly matchLabels?: Optional<Labels>;
  readonly matchExpressions?: Optional<
    readonly {
      readonly key: string;
      readonly operator: string;
      readonly values?: Optional<readonly string[]>;
    }[]
  >;
}

interface ObjectMeta {
  readonly name: string;
  readonly labels?: Optional<Labels>;
}

export interface Namespace {
  readonly metadata: ObjectMeta;
}

export interface Node {
  readonly metadata: ObjectMeta;
  readonly status?: Optional<{
    readonly addresses?: Optional<readonly { readonly type: string; readonly address: string }[]>;
  }>;
}

export interface ContainerPort {
  readonly name?: Optional<string>;
  readonly containerPort: number;
  readonly protocol?: Optional<string>;
}

export interface Container {
  readonly name: string;
  readonly restartPolicy?: Optional<string>;
  readonly ports?: Optional<readonly ContainerPort[]>;
}

export interface Pod {
  readonly metadata: ObjectMeta & {
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: Optional<string>;
  };
  readonly spec: {
    readonly nodeName?: Optional<string>;
    readonly hostNetwork?: Optional<boolean>;
    readonly containers: readonly Container[];
    readonly initContainers?: Optional<readonly Container[]>;
  };
  readonly status?: Optional<{
    readonly phase?: Optional<string>;
    readonly podIP?: Optional<string>;
    readonly podIPs?: Optional<readonly { readonly ip: string }[]>;
  }>;
}

/** networking.k8s.io/v1 */
export interface NetworkPolicy {
  readonly metadata: ObjectMeta & { readonly namespace: string; readonly uid: string };
  readonly spec?: Optional<NetworkPolicySpec>;
}

export interface NetworkPolicySpec {
  readonly podSelector?: Optional<LabelSelector>;
  readonly policyTypes?: Optional<readonly string[]>;
  readonly ingress?: Optional<readonly NetworkPolicyRule[]>;
  readonly egress?: Optional<readonly NetworkPolicyRule[]>;
}

/** `from` stands in rules of ingress, `to` in those of egress. */
export interface NetworkPolicyRule {
  readonly from?: Optional<readonly NetworkPolicyPeer[]>;
  readonly to?: Optional<readonly NetworkPolicyPeer[]>;
  readonly ports?: Optional<readonly NetworkPolicyPort[]>;
}

export interface NetworkPolicyPeer {
  readonly podSelector?: Optional<LabelSelector>;
  readonly namespaceSelector?: Optional<LabelSelector>;
  readonly ipBlock?: Optional<{ readonly cidr: string; readonly except?: Optional<readonly string[]> }>;
}

export interface NetworkPolicyPort {
  readonly protocol?: Optional<string>;
  readonly port?: Optional<number | string>;
  readonly endPort?: Optional<number>;
}

/** policy.networking.k8s.io/v1beta1 and v1alpha2 */
export interface ClusterNetworkPolicy {
  readonly metadata: ObjectMeta & { readonly uid: string };
  readonly spec: {
    readonly tier: string;
    readonly priority: number;
    readonly subject: {
      readonly namespaces?: Optional<LabelSelector>;
      readonly pods?: Optional<NamespacedPod>;
    };
    readonly ingress?: Optional<readonly ClusterNetworkPolicyRule[]>;
    readonly egress?: Optional<readonly ClusterNetworkPolicyRule[]>;
  };
}

export interface NamespacedPod {
  readonly namespaceSelector?: Optional<LabelSelector>;
  readonly podSelector?: Optional<LabelSelector>;
}

/** `from` stands in rules of ingress, `to` in those of egress. */
export interface ClusterNetworkPolicyRule {
  readonly name?: Optional<string>;
  readonly action: string;
  readonly from?: Optional<readonly ClusterNetworkPolicyPeer[]>;
  readonly to?: Optional<readonly ClusterNetworkPolicyPeer[]>;
  readonly protocols?: Optional<readonly ClusterNetworkPolicyProtocol[]>;
}

/** One of its fields is set; `nodes`, `networks` and `domainNames` in rules of egress only. */
export interface ClusterNetworkPolicyPeer {
  readonly namespaces?: Optional<LabelSelector>;
  readonly pods?: Optional<NamespacedPod>;
  readonly nodes?: Optional<LabelSelector>;
  readonly networks?: Optional<readonly string[]>;
  readonly domainNames?: Optional<readonly string[]>;
}

/** One of its fields is set. */
export interface ClusterNetworkPolicyProtocol {
  readonly tcp?: Optional<DestinationPort>;
  readonly udp?: Optional<DestinationPort>;
  readonly sctp?: Optional<DestinationPort>;
  readonly destinationNamedPort?: Optional<string>;
}

export interface DestinationPort {
  readonly destinationPort?: Optional<{
    readonly number?: Optional<number>;
    readonly range?: Optional<{ readonly start: number; readonly end: number }>;
  }>;
}

/**
 * All that a judgement needs: the objects, each node's addresses in the overlay, by the node's name, and the ranges out of
 * which pods get their addresses, where these are known.
 */
export interface Cluster {
  readonly namespaces: readonly Namespace[];
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly clusterNetworkPolicies: readonly ClusterNetworkPolicy[];
  readonly overlayAddressesByNode: Readonly<Record<string, readonly string[]>>;
  /** CIDRs. */
  readonly podRanges?: readonly string[];
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
export type Family = 4 | 6;

/** One end of a flow: a pod, as `namespace/name`, or whoever has an address. */
export type FlowEnd = { readonly pod: string } | { readonly address: string };

export interface Flow {
  /** Of which of their addresses the pods make use. */
  readonly family: Family;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: Protocol;
  /** The destination's; none with ICMP. */
  readonly port?: number;
  /** The source asked for a Service, and this destination was chosen for it. */
  readonly viaService?: boolean;
}

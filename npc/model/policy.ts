import type { ObjectMeta } from '../../kube/objects.ts';
import type { AddressBlocks } from './address-blocks.ts';
import { type LabelSelector, selectorText } from './label-selector.ts';
import type { PortMatch } from './port-match.ts';

/**
 * # A policy, whichever kind it is of
 *
 * NetworkPolicy and ClusterNetworkPolicy are read into one form, from which both the packet rules and the answers of
 * `weft policy explain` come. A policy has a tier; tiers are asked in the order Admin, NetworkPolicy, Baseline. In the
 * tiers Admin and Baseline the first rule that matches decides, by priority and then by place; in the tier NetworkPolicy
 * any rule that matches allows, and where a policy selects the pod and no rule matches, the packet is denied.
 *
 * What is not understood opens nothing. It is told in `faults`, and stands in the rules as something that allows
 * nothing, or that denies all.
 */
export interface Policy extends ObjectMeta {
  readonly kind: 'NetworkPolicy' | 'ClusterNetworkPolicy';
  readonly tier: Tier;
  /** 0 to 1000, the lowest first. 0 in the tier NetworkPolicy, where it means nothing. */
  readonly priority: number;
  /** Undefined where it could not be understood whom the policy selects: it then selects nobody. */
  readonly subject: PodSelector | undefined;
  /** By direction; undefined where the policy says nothing of that direction. */
  readonly rules: Readonly<Record<Direction, readonly PolicyRule[] | undefined>>;
  /** What could not be honoured, and why: a sentence each, without a full stop. */
  readonly faults: readonly string[];
}

export type Tier = 'Admin' | 'NetworkPolicy' | 'Baseline';

export type Direction = 'ingress' | 'egress';

/** Both of {@link Direction}. */
export const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** A rule of one direction. It matches where one of the peers and one of the ports do. */
export interface PolicyRule {
  /** Of a ClusterNetworkPolicy, which may name its rules; else empty. */
  readonly name: string;
  readonly action: 'Accept' | 'Deny' | 'Pass';
  /** Empty: the rule matches nothing. */
  readonly peers: 'any' | readonly Peer[];
  /** Empty: the rule matches nothing. `any` means protocols without ports, too. */
  readonly ports: 'any' | readonly PortMatch[];
}

/** The other end: pods, addresses or nodes. */
export type Peer =
  | { readonly kind: 'pods'; readonly pods: PodSelector }
  | { readonly kind: 'blocks'; readonly blocks: AddressBlocks }
  | { readonly kind: 'nodes'; readonly nodes: LabelSelector };

/** Pods by their labels and those of their namespaces. */
export interface PodSelector {
  /** Only pods of this namespace; undefined: of those that `namespaces` selects. */
  readonly namespace: string | undefined;
  readonly namespaces: LabelSelector;
  readonly pods: LabelSelector;
  /** Equal for selectors that are written alike, and only for them. */
  readonly text: string;
}

/** Most faults of one policy that are told. */
const MAX_FAULTS = 16;

/** The pods of one namespace that `pods` selects. */
export function podsOfNamespace(namespace: string, pods: LabelSelector): PodSelector {
  return { namespace, namespaces: [], pods, text: `${namespace}/${selectorText(pods)}` };
}

/** The pods that `pods` selects, of the namespaces that `namespaces` selects. */
export function podsOfNamespaces(namespaces: LabelSelector, pods: LabelSelector): PodSelector {
  return {
    namespace: undefined,
    namespaces,
    pods,
    text: `${selectorText(namespaces)}/${selectorText(pods)}`,
  };
}

/** A rule that denies everything, in place of one that cannot be understood. */
export function denyAll(name: string): PolicyRule {
  return { name, action: 'Deny', peers: 'any', ports: 'any' };
}

/** How a policy is called wherever people read of it: `NetworkPolicy ns/name`, `ClusterNetworkPolicy name`. */
export function policyTitle({ kind, namespace, name }: Pick<Policy, 'kind' | 'namespace' | 'name'>): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Faults as a policy carries them: each once, and not too many. */
export function toldFaults(faults: readonly string[]): readonly string[] {
  const each = [...new Set(faults)];
  if (each.length <= MAX_FAULTS) return each;
  return [...each.slice(0, MAX_FAULTS - 1), `and ${each.length - MAX_FAULTS + 1} more`];
}

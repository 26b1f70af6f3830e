import { selects } from '../model/label-selector.ts';
import { NAMESPACE_NAME_LABEL } from '../model/labels.ts';
import type { PodSelector } from '../model/policy.ts';
import type { ClusterIndex } from './cluster-index.ts';
import type { PolicyIndex } from './policy-index.ts';

/** The namespaces in which some policy, of any tier, may select a pod. */
export interface Governed {
  /** Every namespace, also those that are not known. */
  readonly all: boolean;
  readonly namespaces: ReadonlySet<string>;
  /** All namespaces there are, where some policy goes by their labels: it may reach any other that comes. */
  readonly known: ReadonlySet<string> | undefined;
}

/** The labels of a namespace that comes later: that of its name, which none has yet. */
const LATER = new Map([[NAMESPACE_NAME_LABEL, '']]);

/**
 * Namespaces with a NetworkPolicy, and those that the subject of a ClusterNetworkPolicy may reach. A subject that would
 * select a namespace without labels but its name may reach any that comes later, so then it is all of them; one that goes by
 * other labels may reach those that come later with such labels, and one that has pods but no labels told yet.
 */
export function governedBy(cluster: ClusterIndex, policies: PolicyIndex): Governed {
  const namespaces = new Set(policies.namespaceNames());
  let all = false;
  let goesByLabels = false;
  for (const { subject } of policies.clusterWide()) {
    if (subject === undefined) continue;
    if (selects(subject.namespaces, LATER)) all = true;
    if (namesIn(subject).length === 0) goesByLabels = true;
    for (const name of [...cluster.namespaceNames(), ...namesIn(subject)])
      if (cluster.selectsNamespace(subject, name) || isUntold(cluster, name)) namespaces.add(name);
  }
  return { all, namespaces, known: goesByLabels ? new Set(cluster.namespaceNames()) : undefined };
}

/** It has pods, and its labels are not known. */
function isUntold(cluster: ClusterIndex, namespace: string): boolean {
  return !cluster.knowsNamespace(namespace) && !cluster.podsIn(namespace)[Symbol.iterator]().next().done;
}

/** Namespaces that a selector names, whether they are there or not. */
function namesIn({ namespaces }: PodSelector): readonly string[] {
  return namespaces
    .filter(({ key, operator }) => key === NAMESPACE_NAME_LABEL && operator === 'In')
    .flatMap(({ values }) => values);
}

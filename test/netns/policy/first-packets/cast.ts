/** Who takes part in the trial of first packets, and what policies say of them. Pure: the truth that packets are held against. */

/** What a pod is. The first three are there all the time, one of each; the others come while weft-npc is disturbed. */
export type Kind = 'friend' | 'stranger' | 'guarded' | 'free' | 'closed' | 'limited' | 'unselected';

/** Of those that come. */
export const NEWCOMERS: readonly Kind[] = ['free', 'closed', 'limited', 'unselected'];

const SHUT = 'shut';
const NAMESPACE_BY_KIND: Readonly<Record<Kind, string>> = {
  friend: 'peers',
  stranger: 'peers',
  free: 'free',
  guarded: SHUT,
  closed: SHUT,
  limited: SHUT,
  unselected: SHUT,
};

export const NAMESPACES: readonly string[] = [...new Set(Object.values(NAMESPACE_BY_KIND))];

/** Pods have their kind as the label `kind`. */
export function namespaceOf(kind: Kind): string {
  return NAMESPACE_BY_KIND[kind];
}

/** Whether a policy may select pods of its namespace: such a pod is closed until somebody has spoken for it. */
export function isGoverned(kind: Kind): boolean {
  return namespaceOf(kind) === SHUT;
}

const podsOf = (kind: Kind): object => ({ matchLabels: { kind } });
const FRIEND = {
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespaceOf('friend') } },
  podSelector: podsOf('friend'),
};

function policy(kind: Kind, spec: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: kind, namespace: SHUT },
    spec: { podSelector: podsOf(kind), ...spec },
  };
}

/** What {@link mayReach} says, for Kubernetes. */
export const POLICIES: readonly object[] = [
  policy('closed', { policyTypes: ['Ingress', 'Egress'] }),
  policy('limited', {
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [FRIEND] }],
    egress: [{ to: [FRIEND] }, { to: [{ podSelector: podsOf('guarded') }] }],
  }),
  policy('guarded', { policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: podsOf('limited') }] }] }),
];

/** Whether policies let one begin something with the other. */
export function mayReach(from: Kind, to: Kind): boolean {
  return sends(from, to) && takes(to, from);
}

function sends(from: Kind, to: Kind): boolean {
  if (from === 'limited') return to === 'friend' || to === 'guarded';
  return from !== 'closed';
}

function takes(to: Kind, from: Kind): boolean {
  if (to === 'limited') return from === 'friend';
  if (to === 'guarded') return from === 'limited';
  return to !== 'closed';
}

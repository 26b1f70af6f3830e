/** The few shapes of policies that the chaos test makes, and what they mean. Pure. */

/** Who may be at the other end: pods with this role in namespaces of this team. Without `team`, the policy's own namespace. */
export interface Peer {
  readonly role?: string;
  readonly team?: string;
}

export interface Rule {
  /** Nobody in it: everybody. */
  readonly peers: readonly Peer[];
  /** None in it: all. */
  readonly ports: readonly number[];
}

/** Ports from this one on are of TCP, those below of UDP: so a number says both. */
const FIRST_TCP_PORT = 7100;

/** The protocol of a port. */
export function protocolOf(port: number): 'TCP' | 'UDP' {
  return port >= FIRST_TCP_PORT ? 'TCP' : 'UDP';
}

/** The few shapes of a NetworkPolicy that the truth knows. */
export interface Policy {
  readonly namespace: string;
  readonly name: string;
  /** Which pods of the namespace; absent: all. */
  readonly role?: string;
  /** Absent: it says nothing of that direction. */
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

export type Direction = 'ingress' | 'egress';

/** A rule of a {@link ClusterPolicy}. */
export interface ClusterRule {
  readonly action: 'Accept' | 'Deny' | 'Pass';
  /** At least one; one without `role` and `team` is everybody. */
  readonly peers: readonly Peer[];
  /** None in it: all. */
  readonly ports: readonly number[];
}

/** A ClusterNetworkPolicy; its name says where it stands. */
export interface ClusterPolicy {
  readonly name: string;
  /** Pods of any namespace. */
  readonly subject: Peer;
  readonly ingress?: readonly ClusterRule[];
  readonly egress?: readonly ClusterRule[];
}

/** Where a ClusterNetworkPolicy stands. */
interface Place {
  readonly name: string;
  readonly tier: 'Admin' | 'Baseline';
  readonly priority: number;
}

/** The ClusterNetworkPolicies that there may be, in the order in which they are asked. */
export const PLACES: readonly Place[] = [
  { name: 'admin-first', tier: 'Admin', priority: 0 },
  { name: 'admin-second', tier: 'Admin', priority: 500 },
  { name: 'baseline-first', tier: 'Baseline', priority: 1 },
  { name: 'baseline-second', tier: 'Baseline', priority: 1000 },
];

/** What is looked at of a pod. */
export interface Party {
  readonly namespace: string;
  readonly role: string;
  readonly team: string;
}

/** Whether a policy selects the pod in that direction. */
function isolates(policy: Policy, direction: Direction, subject: Party): boolean {
  return (
    policy[direction] !== undefined &&
    policy.namespace === subject.namespace &&
    (policy.role === undefined || policy.role === subject.role)
  );
}

/** Whether a rule of the policy allows the peer; that it selects the pod is known. */
function allows(policy: Policy, direction: Direction, peer: Party, port: number): boolean {
  return (policy[direction] ?? []).some(
    ({ peers, ports }) =>
      (ports.length === 0 || ports.includes(port)) &&
      (peers.length === 0 || peers.some((each) => matches(each, peer, policy.namespace))),
  );
}

/** The values that each policy may have had: of NetworkPolicies, and of ClusterNetworkPolicies by name. */
interface Possible {
  readonly policies: readonly (readonly (Policy | undefined)[])[];
  readonly clusterPolicies: ReadonlyMap<string, readonly (ClusterPolicy | undefined)[]>;
}

/** One direction of a packet: whom it is judged for, and who is at the other end. */
interface Judged {
  readonly direction: Direction;
  readonly subject: Party;
  readonly peer: Party;
  readonly port: number;
}

/** Whether some choice of the possible values lets the packet pass in that direction. */
export function mayPass({ policies, clusterPolicies }: Possible, judged: Judged): boolean {
  const { direction, subject, peer, port } = judged;
  /** Undefined where the tier may say nothing, else whether it may let the packet pass. */
  const ask = (tier: Place['tier'], pass: () => boolean): boolean | undefined => {
    for (const place of PLACES) {
      if (place.tier !== tier) continue;
      const said = (clusterPolicies.get(place.name) ?? [undefined]).map((each) => verdict(each, judged));
      if (said.includes('Accept') || (said.includes('Pass') && pass())) return true;
      if (!said.includes(undefined)) return false;
    }
    return undefined;
  };
  const belowAdmin = (): boolean => {
    const isolating = policies.map((values) =>
      values.filter((policy) => policy !== undefined && isolates(policy, direction, subject)),
    );
    if (isolating.flat().some((policy) => allows(policy!, direction, peer, port))) return true;
    // Of each policy one of its values was in force: there may have been none that selects the pod.
    const mayBeFree = policies.every((values, i) => isolating[i]!.length < values.length);
    return mayBeFree && (ask('Baseline', () => true) ?? true);
  };
  return ask('Admin', belowAdmin) ?? belowAdmin();
}

/** Whether a packet from one pod to a port of another passes, where all is as said. */
export function permits(
  policies: readonly (Policy | ClusterPolicy)[],
  from: Party,
  to: Party,
  port: number,
): boolean {
  const possible: Possible = {
    policies: policies.flatMap((policy) => ('namespace' in policy ? [[policy]] : [])),
    clusterPolicies: new Map(
      policies.flatMap((policy) => ('namespace' in policy ? [] : [[policy.name, [policy]]])),
    ),
  };
  return (
    mayPass(possible, { direction: 'egress', subject: from, peer: to, port }) &&
    mayPass(possible, { direction: 'ingress', subject: to, peer: from, port })
  );
}

/** What the first rule that matches says; undefined where none does. */
function verdict(
  policy: ClusterPolicy | undefined,
  { direction, subject, peer, port }: Judged,
): ClusterRule['action'] | undefined {
  if (policy === undefined || !isMeant(policy.subject, subject)) return undefined;
  return (policy[direction] ?? []).find(
    ({ peers, ports }) =>
      (ports.length === 0 || ports.includes(port)) && peers.some((each) => isMeant(each, peer)),
  )?.action;
}

function isMeant({ role, team }: Peer, { role: itsRole, team: itsTeam }: Party): boolean {
  return (role === undefined || role === itsRole) && (team === undefined || team === itsTeam);
}

function matches(wanted: Peer, peer: Party, namespace: string): boolean {
  if (wanted.role !== undefined && wanted.role !== peer.role) return false;
  return wanted.team === undefined ? peer.namespace === namespace : wanted.team === peer.team;
}

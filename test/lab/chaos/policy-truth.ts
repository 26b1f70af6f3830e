/**
 * What a cluster's policies forbid, at any moment of a past that is only known between two bounds: a change is asked for
 * at one time, has been taken by the API at a later one, and is enforced some time after that. A packet is forbidden only
 * where nothing that could have been in force when it passed allows it. Pure: all times are given, in milliseconds.
 */

import {
  type ClusterPolicy,
  type Direction,
  mayPass,
  type Party,
  type Policy,
  permits,
  protocolOf,
} from './policy-shapes.ts';

/** One change: what became of it when. */
interface Step<T> {
  readonly value: T;
  readonly sentAt: number;
  /** Infinity until the API has taken it. */
  takenAt: number;
}

/** When a change that the API took at that time is enforced at the latest; Infinity while it cannot be told. */
export type Deadline = (takenAt: number) => number;

/** What a thing was, and is. */
export class History<T> {
  readonly #steps: Step<T>[];

  /** `initial` has always been. */
  constructor(initial: T) {
    this.#steps = [{ value: initial, sentAt: Number.NEGATIVE_INFINITY, takenAt: Number.NEGATIVE_INFINITY }];
  }

  /** Asks for a change; what is answered has to be called with when it was taken. */
  change(value: T, sentAt: number): (takenAt: number) => void {
    const step: Step<T> = { value, sentAt, takenAt: Number.POSITIVE_INFINITY };
    this.#steps.push(step);
    return (takenAt) => {
      step.takenAt = takenAt;
    };
  }

  get last(): T {
    return this.#steps.at(-1)!.value;
  }

  /** Everything that may have been in force at some time from `since` to `at`. */
  possible(since: number, at: number, deadline: Deadline): T[] {
    const found: T[] = [];
    for (let i = this.#steps.length - 1; i >= 0; i--) {
      const next = this.#steps[i + 1];
      if (next !== undefined && since > deadline(next.takenAt)) break; // and all before it
      if (this.#steps[i]!.sentAt <= at) found.push(this.#steps[i]!.value);
    }
    return found;
  }
}

/** A time during which something was not as it should be; without end while it lasts. */
export interface Span {
  readonly from: number;
  to?: number;
}

/** A change is enforced within `graceMs` without a break of what enforces it, whose breaks are `downs`. */
export function deadlineOf(downs: readonly Span[], graceMs: number): Deadline {
  return (takenAt) => {
    let enforcedAt = takenAt + graceMs;
    for (const { from, to = Number.POSITIVE_INFINITY } of downs) {
      if (from < enforcedAt && to > takenAt) enforcedAt = Math.max(enforcedAt, to + graceMs);
    }
    return enforcedAt;
  };
}

/** A pod, for as long as its UID is of interest. */
export interface Pod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly role: History<string>;
  /** When its deletion was asked for; from then on a policy that is changed may not reach it any more. */
  deletedAt: number;
}

/** What came in. */
export interface Packet {
  readonly at: number;
  /** `sent` to a port of a pod; `returned` from a port of a pod to one that had sent to it. */
  readonly kind: 'sent' | 'returned';
  readonly from: Pod;
  readonly to: Pod;
  /** Where the flow that was begun leads: the port of the one that was sent to. */
  readonly port: number;
}

/** When a packet to a port passed, and how long after its change a policy is enforced. */
interface Moment {
  readonly port: number;
  readonly at: number;
  readonly graceMs: number;
}

/** Who had an address, and until when, as far as is known. */
interface Ownership extends Span {
  readonly pod: Pod;
}

/** The cluster's past, as the truth has to know it. */
export class PolicyTruth {
  readonly teamByNamespace = new Map<string, History<string>>();
  readonly policyByKey = new Map<string, History<Policy | undefined>>();
  /** By name; see `PLACES`. */
  readonly clusterPolicyByName = new Map<string, History<ClusterPolicy | undefined>>();
  readonly #downsByNode = new Map<string, Span[]>();
  readonly #opensByNode = new Map<string, Span[]>();
  readonly #ownersByAddress = new Map<string, Ownership[]>();
  readonly #graceMs: number;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** What enforces policies on a node stops, or ends; until what is answered has been called. */
  down(node: string, from: number): (to: number) => void {
    return begin(this.#downsByNode, node, from);
  }

  /** A node lets everything pass, as somebody took its rules away; until what is answered has been called. */
  open(node: string, from: number): (to: number) => void {
    return begin(this.#opensByNode, node, from);
  }

  /** Whether everything on the node works. */
  isUp(node: string): boolean {
    return (this.#downsByNode.get(node) ?? []).every(({ to }) => to !== undefined);
  }

  /** A pod has an address. */
  owns(pod: Pod, address: string, from: number): void {
    const owners = this.#ownersByAddress.get(address) ?? [];
    if (owners.at(-1)?.pod === pod) return;
    this.#ownersByAddress.set(address, [...owners, { pod, from }]);
  }

  /** The API has no longer a pod. */
  gone(pod: Pod, at: number): void {
    for (const owners of this.#ownersByAddress.values()) {
      for (const each of owners) if (each.pod === pod) each.to ??= at;
    }
  }

  /** Whether nothing that may have been in force allowed the packet, with another grace if one is given. */
  forbids({ kind, from, to, port, at }: Packet, graceMs = this.#graceMs): boolean {
    if (from === to || this.#isOpen(from.node, at) || this.#isOpen(to.node, at)) return false;
    const mayPass = (begins: Pod, other: Pod, toPort: number): boolean =>
      this.#mayPass(begins, other, { port: toPort, at, graceMs });
    if (kind === 'sent') return !mayPass(from, to, port);
    if (mayPass(to, from, port)) return false;
    // Where the flow has been forgotten it is one of its own, to a port that no rule names. That cannot be by TCP: what
    // begins in its midst has to be allowed both ways.
    return protocolOf(port) === 'TCP' || !mayPass(from, to, 0);
  }

  /** Whether a packet passes by what is in force in the end. */
  permitsNow(from: Pod, to: Pod, port: number): boolean {
    const policies = [...this.policyByKey.values(), ...this.clusterPolicyByName.values()];
    const party = ({ namespace, role }: Pod): Party => {
      return { namespace, role: role.last, team: this.teamByNamespace.get(namespace)?.last ?? '' };
    };
    return permits(
      policies.flatMap(({ last }) => last ?? []),
      party(from),
      party(to),
      port,
    );
  }

  /** The least of these graces with which the packet was not forbidden: how late a change was; Infinity for none. */
  graceNeeded(packet: Packet, graces: readonly number[]): number {
    return graces.find((graceMs) => !this.forbids(packet, graceMs)) ?? Number.POSITIVE_INFINITY;
  }

  #mayPass(from: Pod, to: Pod, when: Moment): boolean {
    return (
      this.#directionMayPass('egress', from, to, when) && this.#directionMayPass('ingress', to, from, when)
    );
  }

  #directionMayPass(direction: Direction, subject: Pod, peer: Pod, { port, at, graceMs }: Moment): boolean {
    const deadline = deadlineOf(this.#downsByNode.get(subject.node) ?? [], graceMs);
    const since = Math.min(at, subject.deletedAt);
    const possible = {
      policies: [...this.policyByKey.values()].map((history) => history.possible(since, at, deadline)),
      clusterPolicies: new Map(
        [...this.clusterPolicyByName].map(([name, history]) => [name, history.possible(since, at, deadline)]),
      ),
    };
    // The other end is an address to the node, which may still take it for a pod that had it before.
    const parties = [peer, ...this.#formerOwners(peer, at, deadline)].flatMap((each) =>
      this.#parties(each, at, at, deadline),
    );
    return this.#parties(subject, since, at, deadline).some((self) =>
      parties.some((party) => mayPass(possible, { direction, subject: self, peer: party, port })),
    );
  }

  #parties(pod: Pod, since: number, at: number, deadline: Deadline): Party[] {
    const teams = this.teamByNamespace.get(pod.namespace)?.possible(since, at, deadline) ?? [''];
    return pod.role
      .possible(since, at, deadline)
      .flatMap((role) => teams.map((team) => ({ namespace: pod.namespace, role, team })));
  }

  /** Who had an address of the pod's before, as far as a node may not know yet that it is another's. */
  #formerOwners(pod: Pod, at: number, deadline: Deadline): Pod[] {
    return [...this.#ownersByAddress.values()]
      .filter((owners) => owners.some((owner) => owner.pod === pod))
      .flat()
      .filter((owner) => owner.pod !== pod && at <= deadline(owner.to ?? Number.POSITIVE_INFINITY))
      .map((owner) => owner.pod);
  }

  #isOpen(node: string, at: number): boolean {
    const spans = this.#opensByNode.get(node) ?? [];
    return spans.some(({ from, to = Number.POSITIVE_INFINITY }) => at >= from && at <= to);
  }
}

/** Begins a span of a node; what is answered ends it. */
function begin(spansByNode: Map<string, Span[]>, node: string, from: number): (to: number) => void {
  const span: Span = { from };
  spansByNode.set(node, [...(spansByNode.get(node) ?? []), span]);
  return (to) => {
    span.to = to;
  };
}

import type { FlowAmounts, FlowEnd, FlowTotalRow, FlowTotalsResult } from '../../control/flow-request.ts';
import { type EdgeAmounts, NOTHING, sumOf, verdictOf } from './edge-sums.ts';
import {
  type DeniedRow,
  type EdgePort,
  type EdgeRow,
  MAX_PODS,
  MAX_PORTS,
  MAX_WAYS,
  type WorkloadRow,
} from './picture.ts';
import { shown, shownOrNull } from './shown-text.ts';
import { OUTSIDE, type WorkloadEnd, workloadOfEnd } from './workload-name.ts';

/** Who was not seen for so long is not shown any more. */
const KEEP_MS = 600_000;
const MAX_WORKLOADS = 2_000;
const MAX_EDGES = 5_000;
/** Rows of addresses outside of the cluster; the others are one row together. */
const MAX_OUTSIDE = 64;
/** Pods of one workload that are remembered, and policies of one edge. */
const MAX_KNOWN_PODS = 500;
const MAX_POLICIES = 8;

interface Seen {
  seenAt: number;
}

interface KnownPod extends Seen {
  readonly node: string | null;
  readonly address: string;
}

interface KnownWorkload extends Seen {
  readonly end: WorkloadEnd;
  readonly podByName: Map<string, KnownPod>;
}

interface KnownEdge extends Seen {
  readonly source: string;
  readonly target: string;
  portByKey: Map<string, EdgePort>;
  wayByKey: Map<string, EdgeRow['ways'][number]>;
  /** Policies that denied, and when they were told last. */
  readonly policies: Map<string, number>;
}

/** Who talks to whom, from totals of pairs as weftd answers them. Memory is bounded; who is silent stays for ten minutes. */
export class WorkloadMap {
  readonly #workloadById = new Map<string, KnownWorkload>();
  readonly #edgeById = new Map<string, KnownEdge>();
  /** Workloads that are addresses outside. */
  #outsideCount = 0;

  /** Pairs of the last minutes, of which only who they are counts: what they do now is told by {@link take}. */
  remember(result: FlowTotalsResult, at: number): void {
    for (const row of result.rows) this.#edgeOf(row, at);
  }

  /** What pairs did lately. Those that are not in it did nothing. */
  take({ rows, seconds }: FlowTotalsResult, at: number): void {
    for (const edge of this.#edgeById.values()) edge.portByKey = new Map();
    for (const row of rows) {
      const edge = this.#edgeOf(row, at);
      if (edge === undefined) continue;
      const { protocol, port } = row;
      const service = shownOrNull(row.service);
      const key = `${protocol} ${port} ${service}`;
      const known = edge.portByKey.get(key) ?? { protocol: shown(protocol), port, service, ...NOTHING };
      edge.portByKey.set(key, added(known, row, seconds));
    }
    this.#forget(at);
  }

  /** A denied packet was told; gives the ids of the two ends. */
  takeDenied(
    source: FlowEnd,
    target: FlowEnd,
    policies: DeniedRow['policies'],
    at: number,
  ): { readonly source: string; readonly target: string } {
    const from = this.#workloadOf(source, at);
    const to = this.#workloadOf(target, at);
    const edge = this.#edgeBetween(from, to, at);
    for (const policy of policies) {
      edge?.policies.delete(policy);
      edge?.policies.set(policy, at);
      if (edge !== undefined && edge.policies.size > MAX_POLICIES)
        edge.policies.delete(edge.policies.keys().next().value!);
    }
    return { source: from, target: to };
  }

  workloads(): WorkloadRow[] {
    return [...this.#workloadById].map(([id, { end, podByName }]) => {
      const pods = [...podByName].map(([name, { node, address }]) => ({ name, node, address }));
      return {
        id,
        kind: end.kind,
        namespace: end.namespace,
        name: end.name,
        pods: pods.slice(0, MAX_PODS),
        podCount: pods.length,
        nodes: [...new Set(pods.flatMap(({ node }) => node ?? []))].sort(),
      };
    });
  }

  edges(): EdgeRow[] {
    return [...this.#edgeById].map(([id, { source, target, portByKey, wayByKey, policies }]) => {
      const ports = [...portByKey.values()].sort((a, b) => weight(b) - weight(a));
      const sum = ports.reduce(sumOf, NOTHING);
      return {
        id,
        source,
        target,
        verdict: verdictOf(sum),
        ...sum,
        ports: ports.slice(0, MAX_PORTS),
        ways: [...wayByKey.values()],
        policies: [...policies.keys()],
      };
    });
  }

  #edgeOf(row: FlowTotalRow, at: number): KnownEdge | undefined {
    const source = this.#workloadOf(row.source, at);
    const target = this.#workloadOf(row.target, at);
    const edge = this.#edgeBetween(source, target, at);
    const way = { from: shownOrNull(row.source?.node), to: shownOrNull(row.target.node) };
    if (edge !== undefined && edge.wayByKey.size < MAX_WAYS) edge.wayByKey.set(`${way.from} ${way.to}`, way);
    return edge;
  }

  /** Undefined where there is no room. */
  #edgeBetween(source: string, target: string, at: number): KnownEdge | undefined {
    const id = `${source}>${target}`;
    let edge = this.#edgeById.get(id);
    if (edge === undefined) {
      const hasRoom = this.#workloadById.has(source) && this.#workloadById.has(target);
      if (!hasRoom || this.#edgeById.size >= MAX_EDGES) return undefined;
      edge = { source, target, seenAt: at, portByKey: new Map(), wayByKey: new Map(), policies: new Map() };
      this.#edgeById.set(id, edge);
    }
    edge.seenAt = at;
    return edge;
  }

  /** The id of the workload of an end. It may have no row, where there are too many. */
  #workloadOf(flowEnd: FlowEnd | null, at: number): string {
    let end = workloadOfEnd(flowEnd);
    if (end.kind === 'outside' && !this.#workloadById.has(end.id) && this.#outsideCount > MAX_OUTSIDE)
      end = workloadOfEnd(null);
    let known = this.#workloadById.get(end.id);
    if (known === undefined) {
      if (this.#workloadById.size >= MAX_WORKLOADS) return end.id;
      known = { end, seenAt: at, podByName: new Map() };
      this.#workloadById.set(end.id, known);
      if (end.kind === 'outside') this.#outsideCount++;
    }
    known.seenAt = at;
    if (flowEnd !== null && end.id !== OUTSIDE) {
      const isKnown = known.podByName.delete(end.pod);
      if (isKnown || known.podByName.size < MAX_KNOWN_PODS) {
        const pod = { node: shownOrNull(flowEnd.node), address: shown(flowEnd.address), seenAt: at };
        known.podByName.set(end.pod, pod);
      }
    }
    return end.id;
  }

  #forget(at: number): void {
    const isOld = ({ seenAt }: Seen): boolean => at - seenAt > KEEP_MS;
    for (const [id, edge] of this.#edgeById) {
      if (isOld(edge)) this.#edgeById.delete(id);
      for (const [policy, toldAt] of edge.policies) if (at - toldAt > KEEP_MS) edge.policies.delete(policy);
    }
    for (const [id, workload] of this.#workloadById) {
      for (const [name, pod] of workload.podByName) if (isOld(pod)) workload.podByName.delete(name);
      if (!isOld(workload)) continue;
      this.#workloadById.delete(id);
      if (workload.end.kind === 'outside') this.#outsideCount--;
    }
  }
}

function added<Row extends EdgeAmounts>(row: Row, amounts: FlowAmounts, seconds: number): Row {
  // In the first second nothing can be said of a second.
  const perS = (amount: number): number => (seconds === 0 ? 0 : Math.round((amount / seconds) * 10) / 10);
  const more = {
    open: amounts.open,
    beganPerS: perS(amounts.began),
    droppedPerS: perS(amounts.drops),
    sentBytesPerS: perS(amounts.sentBytes),
    receivedBytesPerS: perS(amounts.receivedBytes),
  };
  return { ...row, ...sumOf(row, more) };
}

function weight({ sentBytesPerS, receivedBytesPerS, beganPerS, droppedPerS, open }: EdgeAmounts): number {
  return sentBytesPerS + receivedBytesPerS + 100 * (beganPerS + droppedPerS + open);
}

import type { Warning } from '../../base/warning.ts';
import type { ReportResult } from '../../control/control-protocol.ts';
import type {
  FlowEnd,
  FlowRow,
  FlowsResult,
  FlowTotalsResult,
  SilentNode,
} from '../../control/flow-request.ts';
import type { PolicyStatusResult } from '../../control/npc-request.ts';
import type { PeersResult } from '../../control/peer-status.ts';
import type { ClusterTunnelsResult } from '../../control/tunnels-request.ts';
import {
  type DeniedEnd,
  type DeniedRow,
  MAX_DENIED,
  type NodeRow,
  type Picture,
  type PolicyHead,
} from './picture.ts';
import { LINES } from './series-lines.ts';
import { SeriesRing, type SeriesValue } from './series-ring.ts';
import { shown, shownOrNull } from './shown-text.ts';
import { TunnelBook, type TunnelHistory } from './tunnel-book.ts';
import { WorkloadMap } from './workload-map.ts';

/** What a counter of dropped things says, by its name; other counters are not shown. */
export type DropReasons = Readonly<Record<string, string>>;

/** What was counted, and when. */
interface Counted {
  readonly at: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** A gap is told for so long. */
const GAP_TOLD_MS = 60_000;
/** Nodes that a note names; of more it says how many. */
const NAMED_NODES = 3;

/** Makes pictures of what weftd and weft-npc answer. Each `at` is in milliseconds since 1970. */
export class PictureMaker {
  readonly #reasons: DropReasons;
  readonly #map = new WorkloadMap();
  readonly #tunnels = new TunnelBook();
  readonly #series = new SeriesRing();
  #number = 0;
  #report: ReportResult | undefined;
  #totals: FlowTotalsResult | undefined;
  #policy: PolicyStatusResult | undefined;
  #flowNotes: readonly string[] = [];
  #flowFault: string | undefined;
  /** Nodes that did not tell of their tunnels. */
  #silentOnTunnels: readonly SilentNode[] = [];
  /** When it was last heard that events are missing; the clocks of other nodes may be wrong. */
  #gapAt = -Infinity;
  #denied: DeniedRow[] = [];
  #deniedCount = 0;
  #away: string | null = null;
  #counted: Counted | undefined;
  /** Dropped things a second, by the name of the counter. */
  #dropped: Readonly<Record<string, number>> = {};

  constructor(reasons: DropReasons) {
    this.#reasons = reasons;
  }

  takePeers(peers: PeersResult, at: number): void {
    if (this.#report !== undefined) this.#tunnels.take(peers, this.#report.status.peerId, at);
  }

  /** What other nodes said of their tunnels. */
  takeTunnels(tunnels: ClusterTunnelsResult, at: number): void {
    this.#silentOnTunnels = tunnels.silent;
    if (this.#report !== undefined) this.#tunnels.takeOthers(tunnels, this.#report.status.peerId, at);
  }

  takeReport(report: ReportResult, at: number): void {
    this.#report = report;
    this.#dropped = this.#droppedSince(this.#counted, { at, counters: report.counters });
    this.#counted = { at, counters: report.counters };
  }

  /** `remembered`: what pairs did in the last minutes, before anybody watched. */
  takeTotals(totals: FlowTotalsResult, at: number, { remembered = false } = {}): void {
    this.#flowFault = undefined;
    if (remembered) this.#map.remember(totals, at);
    else {
      this.#totals = totals;
      this.#map.take(totals, at);
    }
  }

  /** Why weftd tells of no flows. */
  takeFlowFault(fault: string): void {
    this.#flowFault = fault;
    this.#totals = undefined;
  }

  /** What came since the last time; of it only what was denied, or is missing, is kept. */
  takeFlows({ rows, lost, notes }: FlowsResult, at: number): void {
    this.#flowNotes = notes;
    if (lost > 0) this.#gapAt = at;
    for (const row of rows) {
      if (row.kind === 'gap') this.#gapAt = at;
      if (row.kind === 'drop') this.#deny(row, at);
    }
  }

  /** Undefined where no weft-npc answers. */
  takePolicy(policy: PolicyStatusResult | undefined): void {
    this.#policy = policy;
  }

  /** Why weftd does not answer; null: it does. */
  takeAway(reason: string | null): void {
    this.#away = reason;
  }

  history(tunnel: string): TunnelHistory | undefined {
    return this.#tunnels.history(tunnel);
  }

  /** What is known at `at`, with one more point in the series. */
  picture(at: number): Picture {
    const edges = this.#map.edges();
    this.#series.push(at, this.#point());
    const status = this.#report?.status;
    return {
      number: ++this.#number,
      at,
      node: shown(status?.name ?? ''),
      version: shown(status?.version ?? ''),
      told: this.#totals?.nodes ?? (this.#totals === undefined ? 0 : 1),
      silent: (this.#totals?.silent ?? []).map(({ node, reason }) => ({
        node: shown(node),
        reason: shown(reason),
      })),
      seconds: this.#totals?.seconds ?? 0,
      counted: this.#totals?.counted ?? false,
      warnings: [...(status?.problems ?? []), ...(this.#policy?.problems ?? [])].map(shownWarning),
      notes: this.#notes(at).map(shown),
      away: shownOrNull(this.#away),
      policy: policyHead(this.#policy),
      viewer: { user: null, namespaces: null, seesNodes: true },
      nodes: this.#nodes(),
      tunnels: this.#tunnels.tunnels(),
      workloads: this.#map.workloads(),
      edges,
      denied: this.#denied,
      series: this.#series.series(),
    };
  }

  #deny(row: Extract<FlowRow, { kind: 'drop' }>, at: number): void {
    const policies = row.policies.map(shown);
    const ends = this.#map.takeDenied(row.source, row.target, policies, at);
    const denied: DeniedRow = {
      id: `d${this.#deniedCount++}`,
      at: row.at,
      source: deniedEnd(row.source, ends.source),
      target: deniedEnd(row.target, ends.target),
      protocol: shown(row.protocol),
      port: row.target.port,
      way: row.way,
      policies,
    };
    this.#denied = [...this.#denied, denied].slice(-MAX_DENIED);
  }

  #droppedSince(before: Counted | undefined, { at, counters }: Counted): Readonly<Record<string, number>> {
    if (before === undefined) return {};
    const seconds = (at - before.at) / 1000;
    const rates: Record<string, number> = {};
    for (const [name, count] of Object.entries(counters)) {
      if (!Object.hasOwn(this.#reasons, name) || seconds <= 0) continue;
      const more = count - (before.counters[name] ?? 0);
      // After a restart of weftd counting begins anew.
      if (more >= 0) rates[name] = Math.round((more / seconds) * 100) / 100;
    }
    return rates;
  }

  /** The lines of the series now. */
  #point(): SeriesValue[] {
    const totals = this.#away === null ? this.#totals : undefined;
    const all =
      totals === undefined ? undefined : [...totals.rows, ...(totals.others === null ? [] : [totals.others])];
    const seconds = totals?.seconds ?? 0;
    const sum = (of: 'open' | 'began' | 'drops' | 'sentBytes' | 'receivedBytes'): number | null =>
      all === undefined ? null : all.reduce((amount, row) => amount + row[of], 0);
    const perS = (of: Parameters<typeof sum>[0]): number | null => {
      const amount = sum(of);
      return amount === null || seconds === 0 ? null : Math.round((amount / seconds) * 100) / 100;
    };
    const tunnels = this.#away === null ? this.#tunnels.own() : [];
    const rtts = tunnels.flatMap(({ rttMs }) => rttMs ?? []).sort((a, b) => a - b);
    const drops = Object.entries(this.#away === null ? this.#dropped : {});
    return [
      { ...LINES.open, value: sum('open') },
      { ...LINES.began, value: perS('began') },
      { ...LINES.denied, value: perS('drops') },
      { ...LINES.sent, value: perS('sentBytes') },
      { ...LINES.received, value: perS('receivedBytes') },
      { ...LINES.tunnelSent, value: rateOver(tunnels, 'sentBytesPerS') },
      { ...LINES.tunnelReceived, value: rateOver(tunnels, 'receivedBytesPerS') },
      { ...LINES.rtt, value: rtts[Math.floor(rtts.length / 2)] ?? null },
      ...drops.map(([name, value]) => ({
        id: `drop:${name}`,
        name,
        help: this.#reasons[name] ?? '',
        unit: 'packets/s' as const,
        value,
      })),
    ];
  }

  #nodes(): NodeRow[] {
    const status = this.#report?.status;
    if (status === undefined) return [];
    const silent = new Set((this.#totals?.silent ?? []).map(({ node }) => shown(node)));
    const isCluster = this.#totals?.nodes !== undefined;
    const self: NodeRow = {
      id: shown(status.peerId),
      name: shown(status.name),
      isSelf: true,
      version: shown(status.version),
      state: 'self',
      addresses: status.addresses.map(shown),
      endpoints: [],
      told: this.#totals !== undefined,
    };
    const others = this.#tunnels.nodes.map((node) => ({
      ...node,
      told: isCluster && node.state !== 'left' ? !silent.has(node.name) : null,
    }));
    return [self, ...others];
  }

  #notes(at: number): string[] {
    const notes = new Set([...(this.#totals?.notes ?? []), ...this.#flowNotes]);
    const others = this.#totals?.others ?? null;
    // Who told of no flows either is named already.
    const silent = new Set(this.#totals?.silent?.map(({ node }) => node));
    if (others !== null) {
      const { open, began, drops } = others;
      notes.add(
        `pairs that are too many to be shown: ${open} connections open, ${began} began, ${drops} packets denied`,
      );
    }
    if (this.#tunnels.moreOfOthers > 0)
      notes.add(`tunnels of other nodes that are too many to be shown: ${this.#tunnels.moreOfOthers}`);
    const untold = this.#silentOnTunnels.filter(({ node }) => !silent.has(node));
    if (untold.length > 0) notes.add(untoldText(untold));
    if (this.#flowFault !== undefined) notes.add(`flows are not known: ${this.#flowFault}`);
    if (at - this.#gapAt < GAP_TOLD_MS)
      notes.add('events of connections were lost within the last minute: what is denied may be missing');
    return [...notes];
  }
}

function untoldText(nodes: readonly SilentNode[]): string {
  const named = nodes.slice(0, NAMED_NODES).map(({ node, reason }) => `${node} (${reason})`);
  const rest = nodes.length > named.length ? ` and ${nodes.length - named.length} more` : '';
  return `tunnels of some nodes are not known: ${named.join(', ')}${rest}`;
}

/** The sum over all; null where none is known. */
function rateOver<Of extends string>(
  rows: readonly Readonly<Record<Of, number | null>>[],
  of: Of,
): number | null {
  const known = rows.flatMap((row) => row[of] ?? []);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

function deniedEnd({ pod, address, node }: FlowEnd, workload: string): DeniedEnd {
  return { workload, pod: shownOrNull(pod), address: shown(address), node: shownOrNull(node) };
}

function shownWarning({ code, severity, message, remedy }: Warning): Warning {
  return { code, severity, message: shown(message), remedy: shown(remedy) };
}

function policyHead(policy: PolicyStatusResult | undefined): PolicyHead | null {
  if (policy === undefined) return null;
  return {
    complete: policy.copy.complete,
    selected: policy.loaded?.pods ?? null,
    waiting: policy.waiting.map(({ pod, link }) => shown(pod ?? link)),
    unhonoured: policy.unhonoured.map(({ policy: name, reasons }) => ({
      policy: shown(name),
      reasons: reasons.map(shown),
    })),
  };
}

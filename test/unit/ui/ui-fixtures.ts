import { WeftError } from '../../../base/weft-error.ts';
import type { ControlRequest, ControlResults, ReportResult } from '../../../control/control-protocol.ts';
import type {
  FlowEnd,
  FlowRow,
  FlowsResult,
  FlowTotalRow,
  FlowTotalsResult,
} from '../../../control/flow-request.ts';
import type { NpcRequest, NpcResults, PolicyStatusResult } from '../../../control/npc-request.ts';
import type { PeersResult } from '../../../control/peer-status.ts';
import type { AskedPrograms } from '../../../ui/picture-source.io.ts';

/** What weftd and weft-npc say in tests of the page. */

export const SELF = 'a'.repeat(64);
export const OTHER_NODE = 'b'.repeat(64);

/** A pod on a node, as an end of a flow. */
export function pod(name: string, address: string, node = 'n1', port: number | null = null): FlowEnd {
  return { address, port, pod: name, node, isNode: false };
}

/** An address outside of the cluster. */
export function outsider(address: string): FlowEnd {
  return { address, port: 443, pod: null, node: null, isNode: false };
}

/** A pair that moved 1000 bytes to and 5000 back, in all. */
export function pair(
  source: FlowEnd | null,
  target: FlowEnd,
  more: Partial<FlowTotalRow> = {},
): FlowTotalRow {
  const amounts = { open: 1, began: 20, drops: 0, sentBytes: 1_000, receivedBytes: 5_000 };
  return { source, target, service: null, port: 80, protocol: 'TCP', ...amounts, ...more };
}

export function totals(
  rows: readonly FlowTotalRow[],
  more: Partial<FlowTotalsResult> = {},
): FlowTotalsResult {
  return {
    node: 'n1',
    seconds: 10,
    rows,
    others: null,
    counted: true,
    notes: [],
    nodes: 2,
    silent: [],
    ...more,
  };
}

/** A denied packet. */
export function drop(source: FlowEnd, target: FlowEnd, policies: readonly string[], at = 5): FlowRow {
  return { kind: 'drop', at, verdict: 'dropped', protocol: 'TCP', source, target, way: 'ingress', policies };
}

export function flows(rows: readonly FlowRow[], more: Partial<FlowsResult> = {}): FlowsResult {
  const head = { node: 'n1', cursor: 'c-1', lost: 0, more: 0, counted: true, recording: false, notes: [] };
  return { ...head, rows, ...more };
}

export function peersOf(more: Partial<PeersResult['peers'][number]> = {}): PeersResult {
  return {
    peers: [
      {
        ...{ name: 'n2', peerId: OTHER_NODE, state: 'connected', endpoint: '192.0.2.2:6783', via: null },
        ...{ datapath: 'fast', suite: 'AES-256-GCM', rttMs: 0.4, sentBytes: 1_000, receivedBytes: 2_000 },
        ...{ version: '1', endpoints: ['192.0.2.2:6783'], addresses: ['10.40.0.1'], mtu: 1364 },
        ...{ mtuConfirmed: true, link: 'ours' },
        ...more,
      },
    ],
    seeds: [],
  };
}

export function reportOf(counters: Readonly<Record<string, number>> = {}): ReportResult {
  return {
    status: {
      ...{ name: 'n1', peerId: SELF, version: '9.9.9', addresses: ['10.32.0.1'], peers: [] },
      ipam: { state: 'ready', detail: '', ranges: [], owned: 1, used: 0, families: {} },
      problems: [{ code: 'W_X', severity: 'warning', message: 'n2 is odd', remedy: 'look' }],
    },
    settings: {
      ...{ ranges: [], port: 6783, stateDir: '/', masquerade: true, cniConfig: null },
      ...{ cniBinDir: '/', sysctlDir: '/' },
    },
    peers: peersOf(),
    counters,
    gauges: {},
  };
}

export const POLICY_STATUS: PolicyStatusResult = {
  node: 'n1',
  version: '9.9.9',
  copy: { complete: true, forS: 1, kinds: [] },
  loaded: { pods: 2, sets: 0, chains: 0, rules: 0, lastApplyMs: 0, applyP99Ms: 0 },
  attached: 3,
  waiting: [{ link: 'wv1', pod: 'blue/slow', reason: 'unknown' }],
  unhonoured: [{ policy: 'NetworkPolicy red/odd', reasons: ['endPort is missing'] }],
  addsWaitedMs: 0,
  counters: {},
  problems: [],
};

/** Answers as a weftd and a weft-npc would, and remembers what it was asked. */
export class FakePrograms implements AskedPrograms {
  readonly asked: string[] = [];
  totals = totals([pair(pod('red/web-5d9c7b8f6d-x2x4z', '10.32.0.2'), pod('blue/db-0', '10.40.0.2', 'n2'))]);
  denied: FlowRow[] = [];
  /** What weftd does instead of an answer. */
  fault: WeftError | undefined;

  async weftd<Op extends keyof ControlResults>(
    request: ControlRequest & { readonly op: Op },
    signal?: AbortSignal,
  ): Promise<ControlResults[Op]> {
    this.asked.push(request.op);
    if (this.fault !== undefined) throw this.fault;
    const answers: Partial<ControlResults> = {
      report: reportOf(),
      peers: peersOf(),
      clusterTunnels: { tunnels: [], more: 0, nodes: 1, silent: [] },
      flowTotals: this.totals,
      flows: flows(this.denied.splice(0)),
    };
    // Denied packets are waited for.
    if (request.op === 'flows' && answers.flows!.rows.length === 0) await untilGone(signal, 300);
    return answers[request.op] as ControlResults[Op];
  }

  async npc<Op extends keyof NpcResults>(request: NpcRequest & { readonly op: Op }): Promise<NpcResults[Op]> {
    this.asked.push(request.op);
    if (request.op === 'policyStatus') return POLICY_STATUS as NpcResults[Op];
    throw new WeftError('E_UNKNOWN_POD', `no pod ${JSON.stringify(request)}`, 'give another one');
  }
}

function untilGone(signal: AbortSignal | undefined, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

import { setTimeout as delay } from 'node:timers/promises';
import {
  type FlowAmounts,
  type FlowMeasure,
  type FlowRequest,
  type FlowRow,
  type FlowsResult,
  type FlowTotalRow,
  type FlowTotalsResult,
  TOTAL_WAIT_S,
} from '../../control/flow-request.ts';
import type { FlowAnswers } from './flow-answers.io.ts';
import type { FlowPeers, PeerFlowRequest } from './flow-peers.io.ts';

/** Rows of all other nodes together, about; each is asked for its share. */
const PEER_ROWS = 4_000;
const LEAST_ROWS = 50;

/** Flows of the whole cluster: this node's, and what the others answer. */
export class ClusterFlows {
  readonly #answers: FlowAnswers;
  readonly #peers: FlowPeers;

  constructor(answers: FlowAnswers, peers: FlowPeers) {
    this.#answers = answers;
    this.#peers = peers;
  }

  /** What is open on all nodes. Rejects as {@link FlowAnswers.flows} does. */
  async flows(request: Extract<FlowRequest, { op: 'flows' }>, gone: Promise<void>): Promise<FlowsResult> {
    const { cluster: _, ...own } = request;
    const limit = this.#shareOf(request.limit);
    const [here, there] = await Promise.all([
      this.#answers.flows(own, gone),
      this.#peers.askAll({ ...own, want: 'open', limit }),
    ]);
    const rows: FlowRow[] = [...here.rows];
    const notes = new Set(here.notes);
    let { more } = here;
    for (const { node, answer } of there.answers) {
      if (!('rows' in answer)) continue;
      rows.push(...answer.rows);
      more += answer.more;
      for (const note of answer.notes) if (!notes.has(note)) notes.add(`${node}: ${note}`);
    }
    rows.sort((a, b) => a.at - b.at);
    const kept = rows.slice(0, request.limit);
    return {
      ...here,
      rows: kept,
      more: more + rows.length - kept.length,
      notes: [...notes],
      nodes: 1 + there.answers.length,
      silent: there.silent,
    };
  }

  /** What pairs did on all nodes. Rejects as {@link FlowAnswers.totals} does. */
  async totals(request: Extract<FlowRequest, { op: 'flowTotals' }>): Promise<FlowTotalsResult> {
    const { cluster: _, ...own } = request;
    const question = { ...own, wait: false } as const;
    if (request.wait) await this.#watchAll(question);
    const limit = this.#shareOf(request.limit);
    const [here, there] = await Promise.all([
      this.#answers.totals(question),
      this.#peers.askAll({ ...question, limit }),
    ]);
    const sumByKey = new Map<string, FlowTotalRow>();
    const notes = new Set(here.notes);
    let others = here.others;
    for (const row of here.rows) addRow(sumByKey, row);
    for (const { node, answer } of there.answers) {
      if (!('totals' in answer)) continue;
      for (const row of answer.totals) addRow(sumByKey, row);
      others = sumOf(others, answer.others);
      for (const note of answer.notes) if (!notes.has(note)) notes.add(`${node}: ${note}`);
    }
    const rows = [...sumByKey.values()].sort((a, b) => weight(b, request.by) - weight(a, request.by));
    for (const row of rows.splice(request.limit)) others = sumOf(others, amountsOf(row));
    return {
      ...here,
      rows,
      others,
      notes: [...notes],
      nodes: 1 + there.answers.length,
      silent: there.silent,
    };
  }

  /** All begin to watch, and it is waited for the one that began last. */
  async #watchAll(question: Extract<PeerFlowRequest, { op: 'flowTotals' }>): Promise<void> {
    const [here, there] = await Promise.all([
      this.#answers.totals(question),
      this.#peers.askAll({ ...question, limit: 1 }),
    ]);
    const watched = there.answers.map(({ answer }) => ('seconds' in answer ? answer.seconds : 0));
    const leftS = Math.min(question.seconds, TOTAL_WAIT_S) - Math.min(here.seconds, ...watched);
    if (leftS > 0) await delay(leftS * 1000);
  }

  #shareOf(limit: number): number {
    const share = Math.floor(PEER_ROWS / Math.max(1, this.#peers.count));
    return Math.min(limit, Math.max(LEAST_ROWS, share));
  }
}

/** A pair may be told by two nodes: its connections by one, what the other denied of them by that one. */
function addRow(sumByKey: Map<string, FlowTotalRow>, row: FlowTotalRow): void {
  const { source, target, service, port, protocol } = row;
  const key = JSON.stringify([source?.address, target.address, target.port, service, port, protocol]);
  const known = sumByKey.get(key);
  sumByKey.set(key, known === undefined ? row : { ...known, ...sumOf(amountsOf(known), amountsOf(row)) });
}

function amountsOf({ open, began, drops, sentBytes, receivedBytes }: FlowAmounts): FlowAmounts {
  return { open, began, drops, sentBytes, receivedBytes };
}

function sumOf<Sum extends FlowAmounts | null>(a: Sum, b: Sum): Sum {
  if (a === null) return b;
  if (b === null) return a;
  return {
    open: a.open + b.open,
    began: a.began + b.began,
    drops: a.drops + b.drops,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  } as Sum;
}

function weight(row: FlowAmounts, by: FlowMeasure): number {
  if (by === 'bytes') return row.sentBytes + row.receivedBytes;
  return by === 'drops' ? row.drops : row.began + row.open;
}
